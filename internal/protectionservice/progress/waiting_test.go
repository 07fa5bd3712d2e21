package progress

import (
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

func TestAStageSaysWhatItWaitsFor(t *testing.T) {
	for _, c := range []struct {
		pause workflow.State
		delay int64
		want  string
	}{
		{"", 20, ""}, // the first stage has none
		{workflow.Pending, 0, "waiting for the stage before its own"},
		{workflow.Pending, 20, "waiting for the stage before its own"},
		{workflow.Running, 0, ""},
		{workflow.Running, 1, "waiting for its stage, which begins a second after the one before"},
		{workflow.Running, 86400, "waiting for its stage, which begins 86400 seconds after the one before"},
		{workflow.Succeeded, 20, ""},
		{workflow.Failed, 20, ""},
		{workflow.Cancelled, 20, ""},
		{workflow.Skipped, 20, ""},
	} {
		if got := waitForStage(c.pause, c.delay); got != c.want {
			t.Errorf("with a delay of %d s that is %q it waits for %q, want %q", c.delay, c.pause, got, c.want)
		}
	}
}

func TestAnOperationThatStopsWaitsForNoStage(t *testing.T) {
	var op store.Operation
	op.Graph = &karbor.Graph{}
	op.Graph.Add(karbor.Resource{Type: karbor.ServerType, ID: "s1"}, "")
	op.Graph.Add(karbor.Resource{Type: karbor.ServerType, ID: "s2"}, "")
	op.Choices.Stages = []karbor.RestoreStage{{Resources: []string{"OS::Nova::Server#s1"}}, {Resources: []string{"OS::Nova::Server#s2"}, Delay: 20}}
	steps := []workflow.StepDescription{
		{ID: "complete:#0", Action: flow.Hook, State: workflow.Running}, {ID: "pause:1", State: workflow.Pending},
		{ID: "complete:#1", Action: flow.Hook, State: workflow.Pending},
	}
	failed := slices.Clone(steps)
	failed[0].State = workflow.Failed
	for name, test := range map[string]struct {
		of   workflow.Description
		want int
	}{
		"at work":   {workflow.Description{Steps: steps}, 1},
		"cancelled": {workflow.Description{Steps: steps, Cancelled: "enough"}, 0},
		"failed":    {workflow.Description{Steps: failed}, 0},
	} {
		if got := waitsForStages(op, test.of); len(got) != test.want {
			t.Errorf("%s, they wait for %v", name, got)
		}
	}
}

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
