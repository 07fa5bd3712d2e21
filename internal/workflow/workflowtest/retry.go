package workflowtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

func testRetry(t *testing.T, open opener) {
	var d diary
	var times []time.Time
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"passes": func(_ context.Context, task *workflow.Task) error {
			d.note(fmt.Sprint("passes ", task.Attempt))
			times = append(times, time.Now())
			if task.Attempt < 4 {
				return fmt.Errorf("asking: %w", karbor.Transientf("the cloud does not answer"))
			}
			return nil
		},
		"stays": func(_ context.Context, task *workflow.Task) error {
			d.note(fmt.Sprint("stays ", task.Attempt))
			return karbor.Errorf(karbor.NotFound, "the volume is gone")
		},
		"never": func(_ context.Context, task *workflow.Task) error {
			d.note(fmt.Sprint("never ", task.Attempt))
			return karbor.Transientf("the cloud does not answer")
		},
	}})
	first := 20 * time.Millisecond
	must(t, h.Engine.Start(t.Context(), "passes", workflow.Steps{
		{ID: "a", Action: "passes", Retry: workflow.Retry{Attempts: 5, First: first, Max: 2 * first}}}))
	got := await(t, h.Engine, "passes")
	wantState(t, got, workflow.Succeeded)
	if s := stepOf(got, "a"); s.Attempts != 4 || !s.Waiting.IsZero() {
		t.Errorf("got %+v", s)
	}
	for i, least := range []time.Duration{first, 2 * first, 2 * first} {
		if waited := times[i+1].Sub(times[i]); waited < least/2 {
			t.Errorf("after the attempt %d it waited only %s", i+1, waited)
		}
	}
	must(t, h.Engine.Start(t.Context(), "stays", workflow.Steps{{ID: "a", Action: "stays", Retry: quick(5)}}))
	got = await(t, h.Engine, "stays")
	wantState(t, got, workflow.Failed)
	if s := stepOf(got, "a"); s.Attempts != 1 || s.Error != "the volume is gone" {
		t.Errorf("got %+v", s)
	}
	must(t, h.Engine.Start(t.Context(), "never", workflow.Steps{{ID: "a", Action: "never", Retry: quick(3)}}))
	got = await(t, h.Engine, "never")
	wantState(t, got, workflow.Failed)
	if s := stepOf(got, "a"); s.Attempts != 3 || s.Error != "the cloud does not answer" {
		t.Errorf("got %+v", s)
	}
	want := []string{"passes 1", "passes 2", "passes 3", "passes 4", "stays 1", "never 1", "never 2", "never 3"}
	if diff := cmp.Diff(want, d.all()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func testRetryHoldsNoPlace(t *testing.T, open opener) {
	h := open(t, workflow.Options{
		Actions: map[string]workflow.Action{
			"busy": func(context.Context, *workflow.Task) error { return karbor.Transientf("it is busy") },
			"work": recorder(&diary{}),
		},
		Limits: map[string]int{"one": 1},
	})
	must(t, h.Engine.Start(t.Context(), "waits", workflow.Steps{
		{ID: "a", Action: "busy", Limit: "one", Retry: workflow.Retry{Attempts: 2, First: time.Hour}}}))
	d := awaitThat(t, h.Engine, "waits", func(d workflow.Description) bool { return !d.Steps[0].Waiting.IsZero() })
	if s := d.Steps[0]; s.State != workflow.Pending || s.Error != "it is busy" || s.Attempts != 1 {
		t.Errorf("got %+v", s)
	}
	must(t, h.Engine.Start(t.Context(), "goes on", workflow.Steps{{ID: "a", Action: "work", Limit: "one"}}))
	wantState(t, await(t, h.Engine, "goes on"), workflow.Succeeded)
	must(t, h.Engine.Cancel(t.Context(), "waits", "enough"))
	d = await(t, h.Engine, "waits")
	wantState(t, d, workflow.Cancelled)
	wantSteps(t, d, map[string]workflow.State{"a": workflow.Cancelled})
}

func testTimeout(t *testing.T, open opener) {
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"slow": func(ctx context.Context, task *workflow.Task) error {
			if task.Attempt > 1 && task.Input != "always" {
				return nil
			}
			<-ctx.Done()
			return errors.New("broken off")
		},
	}})
	must(t, h.Engine.Start(t.Context(), "once", workflow.Steps{
		{ID: "a", Action: "slow", Timeout: 20 * time.Millisecond, Retry: quick(3)}}))
	d := await(t, h.Engine, "once")
	wantState(t, d, workflow.Succeeded)
	if s := d.Steps[0]; s.Attempts != 2 {
		t.Errorf("got %+v", s)
	}
	must(t, h.Engine.Start(t.Context(), "always", workflow.Steps{
		{ID: "a", Action: "slow", Input: "always", Timeout: time.Millisecond, Retry: quick(2)}}))
	d = await(t, h.Engine, "always")
	wantState(t, d, workflow.Failed)
	if s := d.Steps[0]; s.Attempts != 2 || s.Error != karbor.Sentence(context.DeadlineExceeded) {
		t.Errorf("got %+v", s)
	}
}

func testPanic(t *testing.T, open opener) {
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"panic": func(context.Context, *workflow.Task) error { panic("secret") },
	}})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "panic", Retry: quick(3)}}))
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Failed)
	if s := d.Steps[0]; s.Attempts != 1 || s.Error != karbor.Sentence(errors.New("any")) {
		t.Errorf("got %+v", s)
	}
}

func testProgress(t *testing.T, open opener) {
	gate := make(signal)
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"work": func(ctx context.Context, task *workflow.Task) error {
			task.Progress(5, 10)
			select {
			case <-gate:
			case <-ctx.Done():
				return ctx.Err()
			}
			task.Progress(10, 10)
			return nil
		},
	}})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}))
	d := awaitThat(t, h.Engine, "operation", func(d workflow.Description) bool { return d.Steps[0].Done == 5 })
	if s := d.Steps[0]; s.Total != 10 || s.State != workflow.Running {
		t.Errorf("got %+v", s)
	}
	close(gate)
	d = await(t, h.Engine, "operation")
	if s := d.Steps[0]; s.Done != 10 || s.Total != 10 {
		t.Errorf("got %+v", s)
	}
}
