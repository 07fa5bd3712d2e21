package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

func TestPurgeOnSQLite(t *testing.T) { testPurge(t, open(t)) }

func testPurge(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i := range 7 {
		p := storetest.NewPlan("project")
		if err := s.CreatePlan(ctx, p, -1); err != nil {
			t.Fatal(err)
		}
		c := storetest.NewCheckpoint("project")
		c.Status = karbor.CheckpointAvailable
		if err := s.PutCheckpoint(ctx, c); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue // these stay
		}
		if err := s.DeletePlan(ctx, "project", p.ID); err != nil {
			t.Fatal(err)
		}
		c.Status = karbor.CheckpointDeleted
		if err := s.PutCheckpoint(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	purge := func(p store.Purge) map[string]int64 {
		t.Helper()
		found, err := s.PurgeDeleted(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]int64{}
		for _, f := range found {
			if f.Rows > 0 {
				rows[f.Table] = f.Rows
			}
		}
		return rows
	}
	deleted := map[string]int64{"plans": 6, "resources": 12, "checkpoints": 6}
	tests := []struct {
		name  string
		purge store.Purge
		want  map[string]int64
	}{
		{"nothing is old enough", store.Purge{Before: time.Now().Add(-time.Hour)}, map[string]int64{}},
		{"a dry run", store.Purge{Before: time.Now().Add(time.Hour), DryRun: true}, deleted},
		{"batches of four", store.Purge{Before: time.Now().Add(time.Hour), Batch: 4}, deleted},
		{"once more", store.Purge{Before: time.Now().Add(time.Hour)}, map[string]int64{}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, purge(test.purge)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	plans, err := s.Plans(ctx, store.PlanFilter{}, store.Page{})
	if err != nil || len(plans) != 1 || len(plans[0].Resources) != 2 {
		t.Errorf("plans that were not deleted: %+v, %v", plans, err)
	}
	checkpoints, err := s.Checkpoints(ctx, store.CheckpointFilter{}, store.Page{})
	if err != nil || len(checkpoints) != 1 {
		t.Errorf("checkpoints that were not deleted: %+v, %v", checkpoints, err)
	}
}

func TestPurgeRemovesOperationsThatTheEngineHasForgotten(t *testing.T) {
	testPurgeOperations(t, open(t))
}

func testPurgeOperations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var ids []string
	for range 3 {
		a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
		if err := s.Accept(ctx, a); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.Operation.ID)
	}
	running, remembered, forgotten := ids[0], ids[1], ids[2]
	for _, id := range []string{remembered, forgotten} {
		if err := s.EndOperation(ctx, id, store.Outcome{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forgotten(ctx, []string{forgotten}); err != nil {
		t.Fatal(err)
	}
	resources, err := s.Resources(ctx, forgotten)
	if err != nil || len(resources) == 0 {
		t.Fatalf("resources %v, %v", resources, err)
	}
	for _, age := range []time.Duration{-time.Hour, time.Hour} {
		if _, err := s.PurgeDeleted(ctx, store.Purge{Before: time.Now().Add(age), Batch: 1}); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			_, err := s.Operation(ctx, id)
			if gone := karbor.KindOf(err) == karbor.NotFound && err != nil; gone != (id == forgotten && age > 0) {
				t.Errorf("with the age %v, of the operations %v is %s: %v", age, ids, id, err)
			}
		}
	}
	if left, err := s.Resources(ctx, forgotten); err != nil || len(left) > 0 {
		t.Errorf("of its resources %v are left, %v", left, err)
	}
	if left, err := s.Resources(ctx, running); err != nil || len(left) == 0 {
		t.Errorf("of a running one %v are left, %v", left, err)
	}
}
