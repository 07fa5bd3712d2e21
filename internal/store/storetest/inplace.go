package storetest

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// overwriting is a restore in place of a checkpoint, with its safety checkpoint.
func overwriting(of karbor.Checkpoint) (safety, restore store.Acceptance) {
	safety = Acceptance(karbor.Protect, NewCheckpoint(of.ProjectID))
	restore = Acceptance(karbor.RestoreOperation, of)
	choices := karbor.RestoreChoices{InPlace: true, SafetyCheckpointID: safety.Operation.CheckpointID}
	restore.Operation.Choices, restore.Restore.Choices = choices, choices
	return safety, restore
}

// testInPlace has nothing else accepted that overwrites or protects what a restore in place
// overwrites, until that is over.
func testInPlace(t *testing.T, s *store.Store) {
	ctx, cp := t.Context(), NewCheckpoint("project")
	protect := Acceptance(karbor.Protect, cp)
	must(t, s.Accept(ctx, protect))
	must(t, s.EndOperation(ctx, protect.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}))

	running := Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, running))
	safety, restore := overwriting(cp)
	wantKind(t, s.Accept(ctx, safety, restore), karbor.Conflict)
	if _, err := s.Checkpoint(ctx, "project", "provider", safety.Operation.CheckpointID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("the safety checkpoint of a restore that was refused is kept: %v", err)
	}
	must(t, s.EndOperation(ctx, running.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))

	must(t, s.Accept(ctx, safety, restore))
	secondSafety, second := overwriting(cp)
	wantKind(t, s.Accept(ctx, secondSafety, second), karbor.Conflict)
	wantKind(t, s.Accept(ctx, second), karbor.Conflict)
	wantKind(t, s.Accept(ctx, Acceptance(karbor.Protect, NewCheckpoint("project"))), karbor.Conflict)
	must(t, s.Accept(ctx, Acceptance(karbor.Protect, NewCheckpoint("another"))))
	apart := NewCheckpoint("project")
	apart.Graph = &karbor.Graph{}
	apart.Graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: "apart"}, "")
	must(t, s.Accept(ctx, Acceptance(karbor.Protect, apart)))
	must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, cp)))

	must(t, s.EndOperation(ctx, safety.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}))
	wantKind(t, s.Accept(ctx, second), karbor.Conflict)
	must(t, s.EndOperation(ctx, restore.Operation.ID, store.Outcome{RestoreStatus: karbor.RestoreFail, LogStatus: karbor.LogError}))
	secondSafety, second = overwriting(cp)
	must(t, s.Accept(ctx, secondSafety, second))
}
