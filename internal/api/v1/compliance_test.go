package v1_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
	"github.com/karbor/karbor/protectable"
)

// v15 asks for microversion 1.5.
const v15 = "OpenStack-API-Version: data-protect 1.5"

// volumes finds two volumes in each project, of which planBody has one.
type volumes struct{ protectable.Plugin }

func (volumes) Type() karbor.ResourceType { return karbor.VolumeType }

func (volumes) List(_ context.Context, c karbor.Cloud, _ protectable.Query) ([]karbor.Resource, error) {
	return []karbor.Resource{
		{Type: karbor.VolumeType, ID: volume, Name: "data"},
		{Type: karbor.VolumeType, ID: "scratch-" + c.ProjectID(), Name: "scratch"},
	}, nil
}

// reportedAt is the time of the reports.
var reportedAt = time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)

func reporter(db *store.Store) *compliance.Reporter {
	return compliance.New(compliance.Options{
		Store: db, Finders: []protectable.Plugin{volumes{}}, Now: func() time.Time { return reportedAt },
		Protects: func(string, karbor.ResourceType) bool { return true }, Triggers: trigger.Limits{MinWindow: time.Hour},
	})
}

func TestTheComplianceReportTellsEachResource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	made := reportedAt.Add(-90*time.Minute - time.Millisecond)
	cp := karbor.Checkpoint{
		ID: unknown, ProjectID: ours, ProviderID: provider, Status: karbor.CheckpointAvailable, CreatedAt: made,
		Plan: karbor.PlanRecord{ID: plan, Name: "shop", ProviderID: provider}, Graph: &karbor.Graph{},
	}
	cp.Graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "data"}, "")
	if err := w.store.PutCheckpoint(t.Context(), cp); err != nil {
		t.Fatal(err)
	}
	got := w.call(t, "reader", "GET", "/compliance", "", v15).want(t, 200)
	report, ok := got.get("compliance").(map[string]any)
	if !ok || report["project_id"] != ours || report["total"] != 2.0 || report["back_to"] != nil || report["created_at"] != "2026-11-21T23:00:00Z" {
		t.Fatalf("the report is %s", got.text)
	}
	want := []any{
		map[string]any{
			"type": "OS::Cinder::Volume", "id": volume, "name": "data", "verdict": "unpromised", "findings": []any{"unpromised", "unverified"},
			"plans":       []any{map[string]any{"id": plan, "name": w.call(t, "reader", "GET", "/plans/"+plan, "").str("plan.name"), "provider_id": provider, "through": "direct"}},
			"rpo_seconds": nil, "allowed_age_seconds": nil, "promised_by": nil, "age_seconds": 5401.0,
			"last_good_checkpoint": map[string]any{
				"id": unknown, "provider_id": provider, "plan_id": plan, "data_from": "2026-11-21T21:29:59Z", "bank": nil, "copies": []any{},
			},
			"last_verified": nil, "last_drill": nil,
		},
		map[string]any{
			"type": "OS::Cinder::Volume", "id": "scratch-" + ours, "name": "scratch", "verdict": "unprotected", "findings": []any{"unprotected"},
			"plans": []any{}, "rpo_seconds": nil, "allowed_age_seconds": nil, "promised_by": nil, "age_seconds": nil,
			"last_good_checkpoint": nil, "last_verified": nil, "last_drill": nil,
		},
	}
	if diff := cmp.Diff(want, report["resources"]); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	for query, rows := range map[string]int{
		"?verdict=unpromised": 1, "?finding=unverified": 1, "?verdict=unverified": 0, "?type=OS::Cinder::Volume": 2, "?type=OS::Nova::Server": 0,
		"?verified_days=3&drilled_days=30&unmade_days=30&finding=undrilled": 1,
	} {
		a := w.call(t, "reader", "GET", "/compliance"+query, "", v15).want(t, 200)
		if got := a.get("compliance.resources").([]any); len(got) != rows || a.get("compliance.total") != 2.0 {
			t.Errorf("%s gives %d rows: %s", query, len(got), a.text)
		}
	}
	if a := w.call(t, "stranger", "GET", "/compliance", "", v15).want(t, 200); strings.Contains(a.text, plan) || strings.Contains(a.text, ours) || strings.Contains(a.text, unknown) {
		t.Errorf("another project's report has %s", a.text)
	}
}
