package deletion

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/leftover"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
)

// Begin makes the bank say that a checkpoint is being deleted. What the bank
// says may differ from the catalogue where a bank that was full, or did not answer,
// did not take the failure of the checkpoint. That nobody else works on it is known
// from the catalogue.
func Begin(ctx context.Context, w running.Work) error {
	set := func(to karbor.CheckpointStatus, from ...karbor.CheckpointStatus) error {
		return w.Provider.Checkpoints().SetState(ctx, w.Op.ProjectID, w.Op.CheckpointID, to, checkpoint.Change{From: from})
	}
	err := set(karbor.CheckpointDeleting, append(deletable(), karbor.CheckpointDeleting)...)
	switch {
	case err == nil:
		return nil
	case karbor.KindOf(err) == karbor.NotFound:
		return nil // it failed before it was in the bank
	case karbor.KindOf(err) == karbor.Conflict && set(karbor.CheckpointError, karbor.CheckpointProtecting) == nil:
		return set(karbor.CheckpointDeleting, karbor.CheckpointError)
	}
	return err
}

// End removes what the bank keeps of a checkpoint, and before that what is left of it in the cloud.
func End(ctx context.Context, w running.Work, leftovers *leftover.Sweeper, banks *custody.Keeper) (store.Outcome, error) {
	if err := leftovers.Clear(ctx, w.Op); err != nil {
		return store.Outcome{}, err
	}
	if err := w.Provider.Checkpoints().Purge(ctx, w.Op.ProjectID, w.Op.CheckpointID); err != nil {
		return store.Outcome{}, fmt.Errorf("ending operation %s: %w", w.Op.ID, err)
	}
	return Deleted(w, banks), nil
}

// Deleted is how an operation ends whose checkpoint is gone from the bank, but for its tombstone.
func Deleted(w running.Work, banks *custody.Keeper) store.Outcome {
	banks.Freed(w.Provider, w.Op.ProjectID)
	return store.Outcome{CheckpointStatus: karbor.CheckpointDeleted, LogStatus: karbor.LogStatus(karbor.CheckpointDeleted)}
}
