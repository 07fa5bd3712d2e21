package progress

import (
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

func TestAStepSaysWhatItWaitsFor(t *testing.T) {
	due := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	for want, step := range map[string]workflow.StepDescription{
		"": {State: workflow.Running, Queued: true},
		"it is tried again at 2026-11-21T15:00:00Z":                           {State: workflow.Pending, Waiting: due},
		"waiting for a free place of the project (it is the next)":            {State: workflow.Pending, Queued: true},
		"waiting for a free place of the project (1 other step is before it)": {State: workflow.Pending, Queued: true, Before: 1},
		"waiting for a free place of the project (3 other steps are before it)": {
			State: workflow.Pending, Queued: true, Before: 3},
		"waiting for a free place of the project": {State: workflow.Pending, Queued: true, Before: -1},
	} {
		if got := waitOf(step); got != want {
			t.Errorf("%+v waits for %q, want %q", step, got, want)
		}
	}
	if got := waitOf(workflow.StepDescription{State: workflow.Pending}); got != "" {
		t.Errorf("a step whose turn has not come waits for %q", got)
	}
	d := workflow.Description{State: workflow.Pending, Before: 7}
	if got := waitOfAll(d); got != "waiting for its turn (7 other operations are before it)" {
		t.Errorf("an operation waits for %q", got)
	}
	if d.State = workflow.Running; waitOfAll(d) != "" {
		t.Error("one that runs waits")
	}
}
