//go:build temporal

package temporal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	history "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
)

var record = flag.Bool("record", false, "keep the histories of this run for the tests without a cluster")

// recorder runs operations on a real cluster.
type recorder struct {
	t       *testing.T
	address string
	e       *Engine
	stop    func()
}

// run starts a worker.
func (r *recorder) run(events int) {
	r.t.Helper()
	actions := map[string]workflow.Action{
		"work": func(context.Context, *workflow.Task) error { return nil },
		"fail": func(context.Context, *workflow.Task) error {
			return karbor.Errorf(karbor.Conflict, "it can't be done")
		},
		"pass": func(_ context.Context, t *workflow.Task) error {
			if t.Attempt < 3 {
				return karbor.Transientf("not yet")
			}
			return nil
		},
		"wait": func(ctx context.Context, t *workflow.Task) error {
			if t.Attempt > 1 {
				return nil
			}
			t.Progress(1, 2)
			<-ctx.Done()
			return ctx.Err()
		},
	}
	e, err := Open(r.t.Context(), Options{
		Cluster: Cluster{Address: r.address, Namespace: temporaltest.Namespace}, Queue: "recorded", Owner: "worker", Now: time.Now,
		Events: events, Options: workflow.Options{Actions: actions, Limits: map[string]int{"narrow": 2}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- e.Run(ctx) }()
	r.e, r.stop = e, func() {
		stop()
		if err := <-over; err != nil {
			r.t.Error(err)
		}
		if err := e.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// until waits until a step is in a state, or the whole operation for "".
func (r *recorder) until(id, step string, state workflow.State) {
	r.t.Helper()
	for range 600 {
		d, err := r.e.Describe(r.t.Context(), id)
		if err == nil && step == "" && d.State == state {
			return
		}
		for _, s := range d.Steps {
			if s.ID == step && s.State == state {
				return
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.t.Context().Done():
		}
	}
	r.t.Fatalf("%s of %s is never %s", step, id, state)
}

// recorded are the operations whose histories are kept, with what is done to them.
var recorded = []struct {
	name   string
	steps  func() workflow.Steps
	events int
	end    workflow.State
	midway func(r *recorder, id string)
}{
	{name: "succeeded", end: workflow.Succeeded, steps: func() workflow.Steps {
		return workflow.Steps{
			{ID: "begin", Action: "work", Quick: true}, {ID: "left", Action: "work", After: []string{"begin"}},
			{ID: "right", Action: "pass", After: []string{"begin"}, Retry: workflow.Retry{First: 10 * time.Millisecond}},
			{ID: "joined", After: []string{"left", "right"}}, {ID: "end", Action: "work", When: workflow.Always, Quick: true},
			{ID: "undo", Action: "work", When: workflow.OnFailure},
		}
	}},
	{name: "failed", end: workflow.Failed, steps: func() workflow.Steps {
		return workflow.Steps{
			{ID: "good", Action: "work"}, {ID: "bad", Action: "fail", After: []string{"good"}}, {ID: "never", Action: "work", After: []string{"bad"}},
			{ID: "undo", Action: "work", When: workflow.OnFailure}, {ID: "end", Action: "work", When: workflow.Always, After: []string{"undo"}, Quick: true},
		}
	}},
	{name: "cancelled", end: workflow.Cancelled, steps: func() workflow.Steps {
		return workflow.Steps{{ID: "long", Action: "wait"}, {ID: "never", Action: "work", After: []string{"long"}}, {ID: "end", Action: "work", When: workflow.Always}}
	}, midway: func(r *recorder, id string) {
		r.until(id, "long", workflow.Running)
		if err := r.e.Cancel(r.t.Context(), id, "enough"); err != nil {
			r.t.Error(err)
		}
	}},
	{name: "moved", end: workflow.Succeeded, steps: func() workflow.Steps {
		return workflow.Steps{{ID: "long", Action: "wait"}, {ID: "next", Action: "work", After: []string{"long"}}}
	}, midway: func(r *recorder, id string) {
		r.until(id, "long", workflow.Running)
		r.stop()
		r.run(0)
	}},
	{name: "continued", events: 30, end: workflow.Succeeded, steps: func() workflow.Steps {
		var steps workflow.Steps
		for i := range 20 {
			steps = append(steps, workflow.Step{ID: fmt.Sprint("step", i), Action: "work", Limit: "narrow"})
		}
		return steps
	}},
}

// TestHistoriesOfARealClusterCanBeReplayed makes the histories that TestSavedHistoriesCanBeReplayed
// has: with -record, it keeps them.
func TestHistoriesOfARealClusterCanBeReplayed(t *testing.T) {
	s, err := temporaltest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range recorded {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{t: t, address: s.Address}
			r.run(c.events)
			defer func() { r.stop() }()
			if err := r.e.Start(t.Context(), c.name, c.steps()); err != nil {
				t.Fatal(err)
			}
			if c.midway != nil {
				c.midway(r, c.name)
			}
			r.until(c.name, "", c.end)
			runs := r.histories(c.name)
			if c.events > 0 && len(runs) < 2 {
				t.Errorf("it has %d runs", len(runs))
			}
			for i, h := range runs {
				text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
				if err != nil {
					t.Fatal(err)
				}
				if err := replayed(h, newCodecFor(t).operation); err != nil {
					t.Error(err)
				}
				if !*record {
					continue
				}
				path := filepath.Join(histories, fmt.Sprintf("%s-%d.json", c.name, i))
				if err := errors.Join(os.MkdirAll(histories, 0o750), os.WriteFile(path, append(text, '\n'), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// histories gives the history of each run of an operation, the first first.
func (r *recorder) histories(id string) []*history.History {
	r.t.Helper()
	var runs []*history.History
	d, err := r.e.describe(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	for run := d.GetWorkflowExecutionInfo().GetFirstRunId(); run != ""; {
		h := &history.History{}
		events := r.e.client.GetWorkflowHistory(r.t.Context(), r.e.workflowID(id), run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		run = ""
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				r.t.Fatal(err)
			}
			h.Events = append(h.Events, event)
			if next := event.GetWorkflowExecutionContinuedAsNewEventAttributes(); next != nil {
				run = next.GetNewExecutionRunId()
			}
		}
		runs = append(runs, h)
	}
	return runs
}
