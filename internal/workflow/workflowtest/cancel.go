package workflowtest

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

func testCancelSurvives(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "running", Action: "block"}, {ID: "end", Action: "close", When: workflow.OnFailure}}))
	s.began.await(t)
	h.Freeze()
	must(t, h.Engine.Cancel(t.Context(), "operation", "cancelled by ada"))
	e := h.Restart()
	d := await(t, e, "operation")
	wantState(t, d, workflow.Cancelled)
	if d.Cancelled != "cancelled by ada" {
		t.Errorf("got the reason %q", d.Cancelled)
	}
	wantSteps(t, d, map[string]workflow.State{"running": workflow.Cancelled, "end": workflow.Succeeded})
	s.wantClosed(t, closed{"end", &workflow.Failure{Cancelled: "cancelled by ada"}})
	h.Thaw()
}

func testCancelClosing(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "never", Action: "work", When: workflow.OnFailure},
		{ID: "closing", Action: "block", When: workflow.Always},
	}))
	s.began.await(t)
	// Its normal steps are over: it ends as it would have.
	wantKind(t, h.Engine.Cancel(t.Context(), "operation", "too late"), karbor.Conflict)
	close(s.gate)
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Succeeded)
	wantSteps(t, d, map[string]workflow.State{"never": workflow.Skipped, "closing": workflow.Succeeded})
	if d.Cancelled != "" {
		t.Errorf("it tells the reason %q", d.Cancelled)
	}
}

func testCancelledClosing(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "normal", Action: "block"},
		{ID: "closing", Action: "block", When: workflow.Always},
	}))
	s.began.await(t)
	must(t, h.Engine.Cancel(t.Context(), "operation", "enough"))
	s.began.await(t) // the closing step, whose context lives
	d, err := h.Engine.Describe(t.Context(), "operation")
	must(t, err)
	if d.State != workflow.Running || d.Cancelled != "enough" {
		t.Errorf("while it closes it is %s, cancelled %q", d.State, d.Cancelled)
	}
	wantSteps(t, d, map[string]workflow.State{"normal": workflow.Cancelled, "closing": workflow.Running})
	must(t, h.Engine.Cancel(t.Context(), "operation", "again"))
	close(s.gate)
	d = await(t, h.Engine, "operation")
	wantState(t, d, workflow.Cancelled)
	wantSteps(t, d, map[string]workflow.State{"normal": workflow.Cancelled, "closing": workflow.Succeeded})
}

func testStoppedAfterCrash(t *testing.T, open opener) {
	s := newScene()
	o := s.options()
	o.Limits = map[string]int{"one": 1}
	h := open(t, o)
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "falls", Action: "fall", Limit: "one"}, {ID: "waits", Action: "work", Limit: "one"},
		{ID: "closing", Action: "block", When: workflow.Always},
	}))
	s.began.await(t)
	h.Kill()
	close(s.cliff)
	e := h.Restart()
	s.began.await(t) // "falls" again
	s.began.await(t) // the closing step
	d, err := e.Describe(t.Context(), "operation")
	must(t, err)
	// Nothing is left to wait for; whether the other one had begun before the crash
	// nobody knows.
	if state := stepOf(d, "waits").State; state != workflow.Skipped && state != workflow.Cancelled {
		t.Errorf("the step that never ran is %s", state)
	}
	before := stepOf(d, "waits")
	close(s.gate)
	d = await(t, e, "operation")
	wantState(t, d, workflow.Failed)
	if after := stepOf(d, "waits"); after.State != before.State || after.Attempts != before.Attempts {
		t.Errorf("the step that never ran was %+v, and is %+v", before, after)
	}
}
