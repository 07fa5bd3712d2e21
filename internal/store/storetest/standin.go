package storetest

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// testPartlyStandIn has a copy stand in for some of the data that a restore reads.
func testPartlyStandIn(t *testing.T, s *store.Store) {
	ctx := t.Context()
	original := available(t, s, "project")
	one, another := original, original
	one.ID, one.CopyOf, one.Bank = karbor.NewID(), original.ID, "far"
	another.ID, another.CopyOf, another.Bank = karbor.NewID(), original.ID, "tape"
	must(t, s.PutCheckpoint(ctx, one))
	must(t, s.PutCheckpoint(ctx, another))
	a := Acceptance(karbor.RestoreOperation, original)
	must(t, s.Accept(ctx, a))
	must(t, s.CheckpointIdle(ctx, "provider", one.ID))
	must(t, s.SayStandIn(ctx, a.Operation.ID, karbor.StandIn{CheckpointID: one.ID, Bank: "far", Reason: "it is damaged"}))
	wantKind(t, s.CheckpointIdle(ctx, "provider", original.ID), karbor.Conflict)
	wantKind(t, s.CheckpointIdle(ctx, "provider", one.ID), karbor.Conflict)
	must(t, s.CheckpointIdle(ctx, "provider", another.ID))
	must(t, s.SetCheckpointStatus(ctx, "project", "provider", another.ID, karbor.CheckpointError))
	wantKind(t, s.SayStandIn(ctx, a.Operation.ID, karbor.StandIn{CheckpointID: another.ID, Bank: "tape"}), karbor.Conflict)
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{RestoreStatus: karbor.RestoreSuccess, LogStatus: karbor.LogSuccess}))
	must(t, s.CheckpointIdle(ctx, "provider", one.ID))
}
