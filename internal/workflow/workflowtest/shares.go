package workflowtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// crowd is more operations of one share than an engine has begun at a time, and of more
// steps than one of its processes takes.
const crowd = 600

// crowded opens an engine with a crowd of one share, whose steps end with the gate. The
// action "other" tells that it began.
func crowded(t *testing.T, open opener, gate signal) (Harness, signal) {
	t.Helper()
	began := make(signal, 1)
	h := open(t, workflow.Options{Default: 16, Actions: map[string]workflow.Action{
		"slow": func(ctx context.Context, _ *workflow.Task) error {
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		"other": func(context.Context, *workflow.Task) error {
			began <- struct{}{}
			return nil
		},
	}})
	ids := make(chan int)
	var starters sync.WaitGroup
	for range 8 {
		starters.Go(func() {
			for i := range ids {
				steps := workflow.Steps{{ID: "a", Action: "slow", Limit: "main/busy"}, {ID: "b", Action: "slow", Limit: "main/busy"}}
				if err := h.Engine.Start(t.Context(), fmt.Sprint("slow", i), steps); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range crowd {
		ids <- i
	}
	close(ids)
	starters.Wait()
	return h, began
}

func testShares(t *testing.T, open opener) {
	gate := make(signal)
	h, began := crowded(t, open, gate)
	must(t, h.Engine.Start(t.Context(), "other", workflow.Steps{{ID: "a", Action: "other", Limit: "main/other"}}))
	select {
	case <-began:
	case <-time.After(max(patience, h.Patience)):
		t.Fatal("the only operation of its share does not begin")
	}
	wantState(t, await(t, h.Engine, "other"), workflow.Succeeded)
	// What had no room comes to its end, too.
	close(gate)
	for i := range crowd {
		d, err := poll(t.Context(), h.Engine, fmt.Sprint("slow", i), max(5*patience, h.Patience),
			func(d workflow.Description) bool { return d.State.Ended() })
		must(t, err)
		wantState(t, d, workflow.Succeeded)
	}
}

func testCancelInCrowd(t *testing.T, open opener) {
	gate := make(signal)
	defer close(gate)
	h, _ := crowded(t, open, gate)
	last := fmt.Sprint("slow", crowd-1)
	must(t, h.Engine.Cancel(t.Context(), last, "not wanted"))
	// The cluster of a busy machine may take its time to begin so many.
	d, err := poll(t.Context(), h.Engine, last, max(patience, h.Patience), func(d workflow.Description) bool { return d.State.Ended() })
	must(t, err)
	wantState(t, d, workflow.Cancelled)
	wantSteps(t, d, map[string]workflow.State{"a": workflow.Skipped, "b": workflow.Skipped})
}
