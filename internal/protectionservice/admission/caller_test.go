package admission_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/store"
)

func TestACallerActsOnTheirOwnProjectUnlessTheyNameAnother(t *testing.T) {
	for _, c := range []struct {
		project, want string
		crosses       bool
	}{{"", "mine", false}, {"mine", "mine", false}, {"theirs", "theirs", true}} {
		who := admission.Caller{Identity: &karbor.Identity{ProjectID: "mine"}, Project: c.project}
		if who.ActsOn() != c.want || who.Crosses() != c.crosses {
			t.Errorf("%q: on %q, crossing %v", c.project, who.ActsOn(), who.Crosses())
		}
	}
}

func TestWhatARunAsksForHasItsIDAndTellsOfIt(t *testing.T) {
	run := admission.ScheduledRun{Claim: store.RunClaim{RunID: "run"}, ScheduledOperationID: "schedule", TriggerID: "trigger"}
	who := admission.Caller{Identity: &karbor.Identity{}, Run: &run}
	if got := who.OperationID(); got != "run" {
		t.Errorf("the operation has id %s", got)
	}
	own := map[string]json.RawMessage{"mine": json.RawMessage("1"), admission.CreatedBy: json.RawMessage(`"me"`)}
	want := map[string]string{
		"mine": "1", admission.CreatedBy: `"operation-engine"`, "scheduled_operation_id": `"schedule"`, "trigger_id": `"trigger"`,
	}
	for name, got := range map[string]map[string]json.RawMessage{"log": who.RunInfo(own), "checkpoint": who.CheckpointInfo(own)} {
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	run.Step = &store.RunStep{OperationID: "step"}
	if got := who.OperationID(); got != "step" {
		t.Errorf("the operation of a step has id %s", got)
	}
	who.Run = nil
	if got := who.OperationID(); !karbor.IsUUID(got) {
		t.Errorf("a request of their own has id %q", got)
	}
	if diff := cmp.Diff(map[string]string{"mine": "1", admission.CreatedBy: `"manual"`}, texts(who.CheckpointInfo(own))); diff != "" {
		t.Errorf("a request of their own (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(texts(own), texts(who.RunInfo(own))); diff != "" {
		t.Errorf("the log of a request of their own (-want +got):\n%s", diff)
	}
}

func texts(raw map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for k, v := range raw {
		out[k] = string(v)
	}
	return out
}
