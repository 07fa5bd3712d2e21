package workflowtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// Beside is how another process differs from the first one.
type Beside struct {
	// Twin says that it has the same name.
	Twin bool
	// Ahead is what its clock, and only its, is ahead of the others'.
	Ahead time.Duration
}

// waits gives options with an action that notes its attempt and waits for the gate.
func waits(gate signal) (options workflow.Options, began signal, attempts func() []int) {
	began = make(signal, 100)
	var mu sync.Mutex
	var all []int
	options.Actions = map[string]workflow.Action{"wait": func(ctx context.Context, task *workflow.Task) error {
		mu.Lock()
		all = append(all, task.Attempt)
		mu.Unlock()
		began <- struct{}{}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	return options, began, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func testSkewed(t *testing.T, open opener) {
	gate := make(signal)
	options, began, attempts := waits(gate)
	h := open(t, options)
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "wait"}}))
	began.await(t)
	h.Beside(Beside{Ahead: -time.Hour})
	e := h.Beside(Beside{Ahead: time.Hour})
	close(gate)
	wantState(t, await(t, e, "operation"), workflow.Succeeded)
	if n := len(attempts()); n != 1 {
		t.Errorf("the step ran %d times, as others' clocks are wrong", n)
	}
}

func testSkewedDeath(t *testing.T, open opener) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			gate := make(signal)
			options, began, _ := waits(gate)
			h := open(t, options)
			h.Stop()
			e := h.Beside(Beside{Ahead: ahead})
			must(t, e.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "wait"}}))
			began.await(t)
			h.Kill()
			close(gate)
			wantState(t, await(t, h.Restart(), "operation"), workflow.Succeeded)
		})
	}
}

func testTwin(t *testing.T, open opener) {
	gate := make(signal)
	options, began, attempts := waits(gate)
	h := open(t, options)
	steps := workflow.Steps{{ID: "a", Action: "wait"}}
	must(t, h.Engine.Start(t.Context(), "one", steps))
	began.await(t)
	e := h.Beside(Beside{Twin: true})
	must(t, e.Start(t.Context(), "two", steps))
	close(gate)
	for _, id := range []string{"one", "two"} {
		wantState(t, await(t, e, id), workflow.Succeeded)
	}
	// The first may have been begun by both, but as two attempts.
	if ran := attempts(); len(ran) > 3 || len(ran) == 3 && slices.Max(ran) == 1 {
		t.Errorf("the attempts of two steps were %v", ran)
	}
}
