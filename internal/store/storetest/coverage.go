package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testCovering(t *testing.T, s *store.Store) {
	ctx := t.Context()
	older, newer := available(t, s, "project"), available(t, s, "project")
	broken := NewCheckpoint("project")
	broken.Status = karbor.CheckpointError
	must(t, s.PutCheckpoint(ctx, broken))
	available(t, s, "other")
	copied := NewCheckpoint("project")
	copied.Status, copied.CopyOf, copied.Bank = karbor.CheckpointAvailable, older.ID, "far"
	must(t, s.PutCheckpoint(ctx, copied))
	want := []store.Covering{
		{ID: copied.ID, ProviderID: "provider", PlanID: copied.Plan.ID, CopyOf: older.ID, Bank: "far", DataAt: older.CreatedAt},
		{ID: newer.ID, ProviderID: "provider", PlanID: newer.Plan.ID, DataAt: newer.CreatedAt},
		{ID: older.ID, ProviderID: "provider", PlanID: older.Plan.ID, DataAt: older.CreatedAt},
	}
	got, err := s.CoveringCheckpoints(ctx, "project", 10)
	must(t, err)
	same(t, want, got)
	got, err = s.CoveringCheckpoints(ctx, "project", 1)
	must(t, err)
	same(t, want[:1], got)

	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	verified(t, s, newer, at, map[string]bool{"OS::Cinder::Volume#1": true, "OS::Cinder::Volume#2": false})
	foreign := available(t, s, "other")
	by, err := s.CoveredBy(ctx, "project", append(want[1:], store.Covering{ID: foreign.ID, ProviderID: "provider"},
		store.Covering{ID: copied.ID, ProviderID: "another provider"}))
	must(t, err)
	text := func(g *karbor.Graph) string {
		raw, err := g.MarshalText()
		must(t, err)
		return string(raw)
	}
	diff := cmp.Diff([]store.CoveredBy{
		{ID: newer.ID, ProviderID: "provider", VerifiedAt: at, Graph: text(newer.Graph), Verified: map[string]store.VerifiedResource{
			"OS::Cinder::Volume#1": {Depth: "full", Good: true}, "OS::Cinder::Volume#2": {Depth: "full"},
		}},
		{ID: older.ID, ProviderID: "provider", Graph: text(older.Graph)},
	}, by, cmpopts.SortSlices(func(a, b store.CoveredBy) bool { return a.VerifiedAt.After(b.VerifiedAt) }),
		// A database may write a document in its own way.
		cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Graph" }, cmp.Comparer(sameGraphText)))
	if diff != "" {
		t.Errorf("covered (-want +got):\n%s", diff)
	}
	none, err := s.CoveredBy(ctx, "project", nil)
	must(t, err)
	same(t, 0, len(none))
}

// sameGraphText compares the texts of two graphs.
func sameGraphText(a, b string) bool {
	var x, y karbor.Graph
	return x.UnmarshalText([]byte(a)) == nil && y.UnmarshalText([]byte(b)) == nil && sameGraph(&x, &y)
}

func testUnmadeRuns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	o := hourly(t, s, "project")
	fire(t, s, ahead.Add(2*time.Hour+10*time.Minute)) // the first two are too late
	r := claim(t, s, "node", ahead.Add(2*time.Hour+10*time.Minute))[0]
	must(t, begin(t, s, r))
	end(t, s, r.ID, karbor.CheckpointError, "the disk is broken")
	_, _, err := s.FinishRuns(ctx, lease("node", ahead.Add(3*time.Hour)), 10, never)
	must(t, err)
	tell := func(projectID string, since time.Time, limit int) (out []string) {
		found, err := s.UnmadeRuns(ctx, projectID, since, limit)
		must(t, err)
		for _, u := range found {
			if u.Name != o.Name || u.PlanID != o.Definition.PlanID || u.Type != o.OperationType || u.ScheduledOperationID != o.ID || u.Reason == "" {
				t.Errorf("a run is %+v", u)
			}
			out = append(out, u.ExpectedAt.Format("15:04 ")+string(u.State))
		}
		return out
	}
	same(t, []string{"02:00 error", "01:00 dropped_out_of_window", "00:00 dropped_out_of_window"}, tell("project", ahead, 10))
	same(t, []string{"02:00 error"}, tell("project", ahead, 1))
	same(t, []string{"02:00 error", "01:00 dropped_out_of_window"}, tell("project", ahead.Add(time.Hour), 10))
	same(t, 0, len(tell("other", ahead, 10)))
	must(t, s.DeleteScheduledOperation(ctx, "project", o.ID))
	same(t, 0, len(tell("project", ahead, 10)))
}
