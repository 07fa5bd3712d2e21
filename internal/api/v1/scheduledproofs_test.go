package v1_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

// CheckSchedule refuses the depth and the target of that name.
func (s *service) CheckSchedule(_ context.Context, _ karbor.ScheduledOperationType, d karbor.OperationDefinition) error {
	if d.Depth == "deepest" || len(d.Targets) > 0 && d.Targets[0] == "nowhere" {
		return karbor.Errorf(karbor.Invalid, "operation_definition: the provider does not know it")
	}
	return nil
}

func TestSchedulesThatVerifyAndCopy(t *testing.T) {
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	body := func(kind, definition string) string {
		return `{"scheduled_operation": {"name": "proof", "operation_type": "` + kind + `", "trigger_id": "` + trigger +
			`", "operation_definition": {"provider_id": "` + provider + `"` + definition + `}}}`
	}
	of := `, "plan_id": "` + plan + `"`
	for _, test := range []struct {
		name, kind, definition string
		want                   map[string]any
	}{
		{"a verify of a plan", "verify", of + `, "order": "newest", "checkpoints": 3, "depth": "full"`,
			map[string]any{"plan_id": plan, "order": "newest", "checkpoints": "3", "depth": "full"}},
		{"a verify of all plans", "verify", `, "share": "10"`, map[string]any{"share": "10"}},
		{"a verify without anything", "verify", `, "plan_id": null, "share": null`, map[string]any{}},
		{"a drill", "drill", of + `, "order": "longest_undrilled", "probes": {"active": {}, "console": {"timeout": 60}}`, map[string]any{"plan_id": plan,
			"order": "longest_undrilled", "probes": map[string]any{"active": map[string]any{}, "console": map[string]any{"pattern": "login:", "timeout": 60.0}}}},
		{"a drill without anything", "drill", ``, map[string]any{}},
		{"a copy", "copy", of + `, "targets": ["far"], "checkpoint_ids": ["6D2B8F0E-5D0C-4A86-9F1A-0A6C1F9E7B09"]`,
			map[string]any{"plan_id": plan, "targets": []any{"far"}, "checkpoint_ids": []any{"6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b09"}}},
	} {
		a := w.call(t, "member", "POST", "/scheduled_operations", body(test.kind, test.definition), v15).want(t, 200)
		test.want["provider_id"] = provider
		if diff := cmp.Diff(test.want, a.get("scheduled_operation.operation_definition")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		id := a.str("scheduled_operation.id")
		older := w.call(t, "member", "GET", "/scheduled_operations/"+id, "", v14).want(t, 200)
		for _, name := range []string{"order", "share", "checkpoints", "depth", "targets", "checkpoint_ids", "probes"} {
			if contains(older.text, `"`+name+`"`) {
				t.Errorf("%s: version 1.4 shows %s: %s", test.name, name, older.text)
			}
		}
		w.call(t, "member", "PUT", "/scheduled_operations/"+id, `{"scheduled_operation": {"operation_definition": {"provider_id": "`+
			provider+`", "plan_id": "`+plan+`", "max_backups": 3}}}`, v15).want(t, 400, "max_backups", "means nothing")
	}
}

// v10 asks for the original contract.
const v10 = "OpenStack-API-Version: data-protect 1.0"

func TestADefinitionThatDoesNotFitItsTypeIsRefused(t *testing.T) {
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	of := `, "plan_id": "` + plan + `"`
	for _, test := range []struct {
		name, kind, definition string
		header, want           string
	}{
		{"a verify before its version", "verify", of, v14, "it came with 1.5"},
		{"a copy in the first version", "copy", of, v10, "it came with 1.5"},
		{"a member before its version", "protect", of + `, "depth": "full"`, v14, "operation_definition.depth. This member is not known in version 1.4"},
		{"a copy without a plan", "copy", ``, v15, "operation_definition.plan_id. It is required"},
		{"a protect without a plan", "protect", ``, v15, "operation_definition.plan_id. It is required"},
		{"a limit of a protect", "protect", of + `, "max_backups": 7`, v15, "operation_definition.max_backups. It means nothing to the operation type protect"},
		{"a depth of a copy", "copy", of + `, "depth": "full"`, v15, "operation_definition.depth. It means nothing"},
		{"targets of a verify", "verify", of + `, "targets": ["far"]`, v15, "operation_definition.targets. It means nothing"},
		{"a depth of a drill", "drill", of + `, "depth": "full"`, v15, "operation_definition.depth. It means nothing"},
		{"an order of another type", "drill", of + `, "order": "longest_unverified"`, v15, "operation_definition.order"},
		{"a probe that there is not", "drill", of + `, "probes": {"smell": {}}`, v15, "probes"},
		{"a probe of too long a time", "drill", of + `, "probes": {"command": {"timeout": 3601}}`, v15, "probes.command.timeout"},
		{"a drill before its version", "drill", of, v14, "it came with 1.5"},
		{"a share and a number", "verify", of + `, "share": 10, "checkpoints": 2`, v15, "operation_definition.share"},
		{"a share of everything and more", "verify", of + `, "share": 101`, v15, "operation_definition.share"},
		{"no checkpoint at all", "verify", of + `, "checkpoints": 0`, v15, "operation_definition.checkpoints"},
		{"an order that there is not", "verify", of + `, "order": "oldest"`, v15, "operation_definition.order"},
		{"a depth that the provider does not have", "verify", of + `, "depth": "deepest"`, v15, "does not know it"},
		{"a target that the provider does not have", "copy", of + `, "targets": ["nowhere"]`, v15, "does not know it"},
		{"a checkpoint that is none", "copy", of + `, "checkpoint_ids": ["one"]`, v15, "operation_definition.checkpoint_ids"},
		{"a type that there is not", "pray", of, v15, "operation_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := `{"scheduled_operation": {"name": "proof", "operation_type": "` + test.kind + `", "trigger_id": "` + trigger +
				`", "operation_definition": {"provider_id": "` + provider + `"` + test.definition + `}}}`
			w.call(t, "member", "POST", "/scheduled_operations", body, test.header).want(t, 400, test.want)
		})
	}
	text := "provider_id=" + provider + ",share=10,order=newest"
	w.call(t, "member", "POST", "/scheduled_operations", `{"scheduled_operation": {"name": "proof", "operation_type": "verify", "trigger_id": "`+
		trigger+`", "operation_definition": "`+text+`"}}`, v15).want(t, 200)
	if lent, returned := w.service.lendings(); len(lent) != 1 || len(returned) != 0 {
		t.Errorf("lent were %v, given back %v; what is refused lends nothing", lent, returned)
	}
}
