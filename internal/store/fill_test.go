package store_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// fillVersion puts in what readAll reads. New tables get rows here, and readAll the
// lines that read them only from databases that have some.
func fillVersion(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := storetest.NewPlan("project")
	must(s.CreatePlan(ctx, p, -1))
	c := storetest.NewCheckpoint("project")
	c.Status = karbor.CheckpointAvailable
	must(s.PutCheckpoint(ctx, c))
	restore := storetest.Acceptance(karbor.RestoreOperation, c)
	must(s.Accept(ctx, restore))
	must(s.EndOperation(ctx, restore.Operation.ID, store.Outcome{RestoreStatus: karbor.RestoreSuccess, LogStatus: karbor.LogSuccess}))
	protect := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	must(s.Accept(ctx, protect))
	must(s.SaveScratch(ctx, protect.Operation.ID, protect.Operation.Graph.Nodes()[0].Key(), 1.0))
	must(s.PutApplicationCredential(ctx, store.ApplicationCredential{
		ProjectID: "project", UserID: "user", ID: "credential", Sealed: []byte{1, 2}, CreatedAt: time.UnixMicro(1),
	}))
	_, _, err := s.Journal().Acquire(ctx, "first", time.Microsecond)
	must(err)
}
