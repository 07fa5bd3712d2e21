package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// DeleteCheckpoint accepts the delete of a checkpoint: when it returns, the
// checkpoint is durable as deleting. One whose state forbids it, or that is in use
// by a restore, is karbor.Conflict.
func (s *Service) DeleteCheckpoint(ctx context.Context, c Caller, providerID, id string) error {
	p, err := s.provider(providerID)
	if err != nil {
		return err
	}
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, id)
	if err != nil {
		return err
	}
	return s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.Delete, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, Parameters: cp.Plan.Parameters,
			},
			CheckpointFrom: deletable(),
			CheckpointTo:   karbor.CheckpointDeleting,
		},
		logStatus: karbor.LogStatus(karbor.CheckpointDeleting),
	})
}

// deletable are the states in which a checkpoint can be deleted.
func deletable() []karbor.CheckpointStatus {
	return []karbor.CheckpointStatus{karbor.CheckpointAvailable, karbor.CheckpointError, karbor.CheckpointErrorDeleting}
}

// ResetCheckpoint sets a checkpoint's state to available or error, in the bank and
// in the catalogue, unless an operation works on it (karbor.Conflict).
func (s *Service) ResetCheckpoint(ctx context.Context, c Caller, providerID, id string, to karbor.CheckpointStatus) error {
	p, err := s.provider(providerID)
	if err != nil {
		return err
	}
	if to != karbor.CheckpointAvailable && to != karbor.CheckpointError {
		return karbor.Errorf(karbor.Invalid, "the state of a checkpoint can be reset to available or error, not to %q", to)
	}
	// The catalogue first: it knows what runs.
	if err := s.store.SetCheckpointStatus(ctx, c.Identity.ProjectID, p.ID, id, to); err != nil {
		return err
	}
	return p.ResetState(ctx, c.Identity.ProjectID, id, to)
}
