package workflowtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// scene has the actions of most tests: "work" ends at once, "fail" fails, "block"
// waits for its context or the gate, "fall" waits for the cliff and fails, "close"
// notes its failure.
type scene struct {
	diary diary
	began signal
	gate  signal
	cliff signal
	// failures are what "close" got, by step.
	failures chan closed
}

type closed struct {
	step    string
	failure *workflow.Failure
}

func newScene() *scene {
	return &scene{began: make(signal, 100), gate: make(signal), cliff: make(signal), failures: make(chan closed, 100)}
}

func (s *scene) options() workflow.Options {
	wait := func(ctx context.Context, what signal) error {
		s.began <- struct{}{}
		select {
		case <-what:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return workflow.Options{Actions: map[string]workflow.Action{
		"work": func(_ context.Context, task *workflow.Task) error {
			s.diary.note(task.Step)
			return nil
		},
		"fail": func(_ context.Context, task *workflow.Task) error {
			s.diary.note(task.Step)
			return karbor.Errorf(karbor.Conflict, "%s fails", task.Step)
		},
		"block": func(ctx context.Context, task *workflow.Task) error {
			s.diary.note(task.Step)
			return wait(ctx, s.gate)
		},
		"fall": func(ctx context.Context, task *workflow.Task) error {
			s.diary.note(task.Step)
			return errors.Join(wait(ctx, s.cliff), karbor.Errorf(karbor.Conflict, "%s fails", task.Step))
		},
		"close": func(_ context.Context, task *workflow.Task) error {
			s.diary.note(task.Step)
			s.failures <- closed{task.Step, task.Failure}
			return nil
		},
	}}
}

func (s *scene) wantClosed(t *testing.T, want ...closed) {
	t.Helper()
	close(s.failures)
	var got []closed
	for c := range s.failures {
		got = append(got, c)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(closed{})); diff != "" {
		t.Errorf("what the closing steps got (-want +got):\n%s", diff)
	}
}

func testCancel(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "done", Action: "work"},
		{ID: "running", Action: "block", After: []string{"done"}},
		{ID: "never", Action: "work", After: []string{"running"}},
		{ID: "undo", Action: "close", When: workflow.OnFailure},
		{ID: "end", Action: "close", When: workflow.Always, After: []string{"undo"}},
	}))
	s.began.await(t)
	must(t, h.Engine.Cancel(t.Context(), "operation", "cancelled by ada"))
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Cancelled)
	if d.Cancelled != "cancelled by ada" {
		t.Errorf("got the reason %q", d.Cancelled)
	}
	wantSteps(t, d, map[string]workflow.State{"done": workflow.Succeeded, "running": workflow.Cancelled,
		"never": workflow.Skipped, "undo": workflow.Succeeded, "end": workflow.Succeeded})
	why := &workflow.Failure{Cancelled: "cancelled by ada"}
	s.wantClosed(t, closed{"undo", why}, closed{"end", why})
	wantKind(t, h.Engine.Cancel(t.Context(), "operation", "again"), karbor.Conflict)
	wantKind(t, h.Engine.Cancel(t.Context(), "unknown", "x"), karbor.NotFound)
}

func testCancelWaiting(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	h.Stop()
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "never", Action: "work"}, {ID: "end", Action: "close", When: workflow.Always}}))
	must(t, h.Engine.Cancel(t.Context(), "operation", "first"))
	must(t, h.Engine.Cancel(t.Context(), "operation", "second"))
	e := h.Restart()
	d := await(t, e, "operation")
	wantState(t, d, workflow.Cancelled)
	wantSteps(t, d, map[string]workflow.State{"never": workflow.Skipped, "end": workflow.Succeeded})
	s.wantClosed(t, closed{"end", &workflow.Failure{Cancelled: "first"}})
}

func testFailure(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "sibling", Action: "block"},
		{ID: "cousin", Action: "work", After: []string{"sibling"}},
		{ID: "bad", Action: "fall"},
		{ID: "after", Action: "work", After: []string{"bad"}},
		{ID: "end", Action: "close", When: workflow.Always},
		{ID: "undo", Action: "close", When: workflow.OnFailure, After: []string{"end"}},
		{ID: "last", Action: "close", When: workflow.Always, After: []string{"undo"}},
	}))
	s.began.await(t)
	s.began.await(t)
	close(s.cliff)
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Failed)
	wantSteps(t, d, map[string]workflow.State{"sibling": workflow.Cancelled, "cousin": workflow.Skipped,
		"bad": workflow.Failed, "after": workflow.Skipped, "end": workflow.Succeeded, "undo": workflow.Succeeded, "last": workflow.Succeeded})
	if got := stepOf(d, "bad").Error; got != "bad fails" {
		t.Errorf("got the error %q", got)
	}
	why := &workflow.Failure{Steps: []workflow.StepError{{Step: "bad", Sentence: "bad fails"}}}
	s.wantClosed(t, closed{"end", why}, closed{"undo", why}, closed{"last", why})
	if got := s.diary.all(); slices.Contains(got, "after") || slices.Contains(got, "cousin") {
		t.Errorf("a step ran after one that did not succeed: %v", got)
	}
}

func testClosing(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "undo", Action: "close", When: workflow.OnFailure},
		{ID: "end", Action: "close", When: workflow.Always, After: []string{"undo"}},
		{ID: "work", Action: "block"},
	}))
	s.began.await(t)
	if got := s.diary.all(); len(got) != 1 {
		t.Errorf("closing steps ran before the normal ones were over: %v", got)
	}
	close(s.gate)
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Succeeded)
	wantSteps(t, d, map[string]workflow.State{"undo": workflow.Skipped, "end": workflow.Succeeded})
	s.wantClosed(t, closed{"end", nil})
}

func testClosingFailure(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "work", Action: "work"},
		{ID: "bad", Action: "fail", When: workflow.Always},
		{ID: "end", Action: "close", When: workflow.Always, After: []string{"bad"}},
		{ID: "undo", Action: "close", When: workflow.OnFailure, After: []string{"bad"}},
	}))
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Failed)
	wantSteps(t, d, map[string]workflow.State{"bad": workflow.Failed, "end": workflow.Succeeded, "undo": workflow.Skipped})
	s.wantClosed(t, closed{"end", &workflow.Failure{Steps: []workflow.StepError{{Step: "bad", Sentence: "bad fails"}}}})
}

func testForget(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "block"}}))
	s.began.await(t)
	wantKind(t, h.Engine.Forget(t.Context(), "operation"), karbor.Conflict)
	close(s.gate)
	await(t, h.Engine, "operation")
	must(t, forget(t, h.Engine, "operation"))
	must(t, h.Engine.Forget(t.Context(), "operation"))
	_, err := h.Engine.Describe(t.Context(), "operation")
	wantKind(t, err, karbor.NotFound)
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}))
	wantState(t, await(t, h.Engine, "operation"), workflow.Succeeded)
}

// forget forgets an operation as soon as the engine has written down its end, and asks
// until it is gone.
func forget(t *testing.T, e workflow.Engine, id string) error {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		err := e.Forget(t.Context(), id)
		again := err != nil && (karbor.KindOf(err) == karbor.Conflict || karbor.IsTransient(err))
		if !again || t.Context().Err() != nil {
			return err
		}
		<-pause.C
	}
}
