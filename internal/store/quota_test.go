package store_test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change changes the file beside the store.
func change(t *testing.T, path, query string, args ...any) {
	t.Helper()
	if _, err := raw(t, path).ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func wantUsages(t *testing.T, s *store.Store, project, want string) {
	t.Helper()
	if got := storetest.Usages(t, s, project); got != want {
		t.Errorf("the usages of %s are %s, want %s", project, got, want)
	}
}

func TestTwoProcessesTogetherDoNotExceedAQuota(t *testing.T) {
	const limit, tries = 5, 64
	path := filepath.Join(t.TempDir(), "karbor.db")
	stores := []*store.Store{openFile(t, path), openFile(t, path)}
	var accepted, plans atomic.Int64
	count := func(n *atomic.Int64, err error) {
		switch {
		case err == nil:
			n.Add(1)
		case karbor.KindOf(err) != karbor.OverLimit:
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for i := range tries {
		s := stores[i%len(stores)]
		wg.Go(func() {
			count(&plans, s.CreatePlan(t.Context(), storetest.NewPlan("project"), limit))
			a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
			a.Limits = store.Limits{store.QuotaCheckpoints: limit}
			count(&accepted, s.Accept(t.Context(), a))
		})
	}
	wg.Wait()
	if accepted.Load() != limit || plans.Load() != limit {
		t.Errorf("%d checkpoints and %d plans were accepted, want %d of each", accepted.Load(), plans.Load(), limit)
	}
	wantUsages(t, stores[0], "project", "plans 5+0 checkpoints 0+5 gigabytes 0+0")
}

func TestQuotasOfADatabaseThatHadNoneCountWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	s := openFile(t, path)
	for range 3 {
		must(t, s.CreatePlan(t.Context(), storetest.NewPlan("project"), -1))
		c := storetest.NewCheckpoint("project")
		c.Status, c.Size = karbor.CheckpointAvailable, 1
		must(t, s.PutCheckpoint(t.Context(), c))
	}
	change(t, path, "DELETE FROM quota_usages")
	wantUsages(t, s, "project", "plans 3+0 checkpoints 3+0 gigabytes 3+0")
	if err := s.CreatePlan(t.Context(), storetest.NewPlan("project"), 3); karbor.KindOf(err) != karbor.OverLimit {
		t.Errorf("got %v", err)
	}
	must(t, s.CreatePlan(t.Context(), storetest.NewPlan("project"), 4))
	must(t, s.Accept(t.Context(), storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))))
	wantUsages(t, s, "project", "plans 4+0 checkpoints 3+1 gigabytes 3+0")
}

func TestUsagesThatWentWrongAreCountedAnew(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "karbor.db")
	s := openFile(t, path)
	spoil := func(inUse, reserved int) {
		t.Helper()
		change(t, path, "UPDATE quota_usages SET in_use = ?, reserved = ? WHERE project_id = 'project'", inUse, reserved)
	}
	must(t, s.CreatePlan(ctx, storetest.NewPlan("project"), -1))
	must(t, s.CreatePlan(ctx, storetest.NewPlan("other"), -1))
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	a.Gigabytes = 3
	must(t, s.Accept(ctx, a))
	const right = "plans 1+0 checkpoints 0+1 gigabytes 0+3"
	wantUsages(t, s, "project", right)
	for _, wrong := range [][2]int{{7, 0}, {0, 0}, {1, 4}} {
		spoil(wrong[0], wrong[1])
		projects, err := s.SyncUsages(ctx)
		if err != nil || len(projects) != 1 || projects[0] != "project" {
			t.Errorf("%+v: wrong were %v, %v", wrong, projects, err)
		}
		wantUsages(t, s, "project", right)
	}
	// What should not be there at all can't fall below nothing.
	spoil(0, 0)
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointError}))
	remove := storetest.Acceptance(karbor.Delete, *a.Checkpoint)
	must(t, s.Accept(ctx, remove))
	spoil(0, 0)
	must(t, s.EndOperation(ctx, remove.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointDeleted}))
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+0 gigabytes 0+0")
	if projects, err := s.SyncUsages(ctx); err != nil || len(projects) != 1 {
		t.Errorf("wrong were %v, %v", projects, err)
	}
	wantUsages(t, s, "project", "plans 1+0 checkpoints 0+0 gigabytes 0+0")
}

func TestReservationsOfOperationsThatAreGoneAreGivenBack(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "karbor.db")
	s := openFile(t, path)
	lose := func(operation string) {
		t.Helper()
		change(t, path, "DELETE FROM operation_resources WHERE operation_id = ?", operation)
		change(t, path, "DELETE FROM operations WHERE id = ?", operation)
	}
	var ids []string
	for range 2 {
		a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
		a.Gigabytes = 5
		must(t, s.Accept(ctx, a))
		ids = append(ids, a.Operation.ID)
	}
	lose(ids[0])
	// A sweep leaves young ones alone, and those whose operation runs.
	if n, err := s.SweepReservations(ctx); err != nil || n != 0 {
		t.Errorf("the sweep found %d, %v", n, err)
	}
	change(t, path, "UPDATE reservations SET expire = 1")
	if n, err := s.SweepReservations(ctx); err != nil || n != 1 {
		t.Errorf("the sweep found %d, %v", n, err)
	}
	wantUsages(t, s, "project", "plans 0+0 checkpoints 1+1 gigabytes 0+5")
	if n, err := s.SweepReservations(ctx); err != nil || n != 0 {
		t.Errorf("the second sweep found %d, %v", n, err)
	}
	// At the start of a service, age does not count.
	lose(ids[1])
	if _, err := s.SyncUsages(ctx); err != nil {
		t.Error(err)
	}
	wantUsages(t, s, "project", "plans 0+0 checkpoints 2+0 gigabytes 0+0")
}
