package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/store"
)

// DeleteCheckpoint accepts the delete of a checkpoint: when it returns, the
// checkpoint is durable as deleting. One whose state forbids it, that is in use
// by a restore, is held, is locked by its bank, or is the newest one in which something was
// found good by a verification, is karbor.Conflict. Where an administrator deletes another project's,
// what is left of it in the cloud is removed in the tenant's name as long as that is
// possible: the administrator's own delegation does not reach there.
func (s *Service) DeleteCheckpoint(ctx context.Context, c Caller, providerID, id string) error {
	return s.delete(ctx, c, deletion{providerID: providerID, id: id})
}

// delete is the one way on which a checkpoint is deleted, whoever asks for it.
func (s *Service) delete(ctx context.Context, c Caller, d deletion) error {
	p, err := s.provider(d.providerID)
	if err != nil {
		return err
	}
	extra, err := d.extra(c)
	if err != nil {
		return err
	}
	cp, err := s.store.Checkpoint(ctx, c.project(), p.ID, d.id)
	if err != nil {
		return err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return err
	}
	if err := s.custody.Usable(p); err != nil {
		return err
	}
	// Before anything is accepted: one that is locked stays whole, and as it is.
	if err := p.Checkpoints().MayRemove(ctx, cp.ProjectID, cp.ID); err != nil {
		return err
	}
	if !c.crosses() {
		s.renewLeftovers(ctx, c, p.ID, cp.ID)
	}
	return s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.Delete, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, Parameters: cp.Plan.Parameters, Bank: cp.Bank,
			},
			CheckpointFrom: deletable(),
			CheckpointTo:   karbor.CheckpointDeleting,
			Gate:           s.gate(d.by == ByForce),
		},
		logStatus:            karbor.LogStatus(karbor.CheckpointDeleting),
		extra:                extra,
		scheduledOperationID: d.scheduledOperationID,
	})
}

// deletable are the states in which a checkpoint can be deleted.
func deletable() []karbor.CheckpointStatus {
	return []karbor.CheckpointStatus{karbor.CheckpointAvailable, karbor.CheckpointError, karbor.CheckpointErrorDeleting}
}

// ResetCheckpoint sets a checkpoint's state to available or error, in the bank and
// in the catalogue, unless an operation works on it (karbor.Conflict). One that is
// not in the bank, or whose deletion has begun, can't become available
// (karbor.Conflict).
func (s *Service) ResetCheckpoint(ctx context.Context, c Caller, providerID, id string, to karbor.CheckpointStatus) error {
	p, err := s.provider(providerID)
	if err != nil {
		return err
	}
	if to != karbor.CheckpointAvailable && to != karbor.CheckpointError {
		return karbor.Errorf(karbor.Invalid, "the state of a checkpoint can be reset to available or error, not to %q", to)
	}
	cp, err := s.store.Checkpoint(ctx, c.project(), p.ID, id)
	if err != nil {
		return err
	}
	if err := s.store.CheckpointIdle(ctx, p.ID, cp.ID); err != nil {
		return err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return err
	}
	if err := s.custody.Usable(p); err != nil {
		return err
	}
	// The bank first: it is the truth, and may refuse.
	err = p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{From: resettable(cp.Status)})
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		if to == karbor.CheckpointAvailable {
			return karbor.Errorf(karbor.Conflict, "checkpoint %s is not in its bank, so it can't become available; it can be deleted", cp.ID)
		}
		err = nil // it failed before it was there
	}
	if err != nil {
		return err
	}
	return s.store.SetCheckpointStatus(ctx, cp.ProjectID, p.ID, cp.ID, to)
}

// resettable are the states in the bank of an idle checkpoint that can be reset, given
// the catalogue's. The two may differ where a bank did not take a failure. A delete
// that was accepted just now is not disturbed.
func resettable(status karbor.CheckpointStatus) []karbor.CheckpointStatus {
	from := append(deletable(), karbor.CheckpointProtecting)
	if status == karbor.CheckpointDeleting || status == karbor.CheckpointErrorDeleting {
		from = append(from, karbor.CheckpointDeleting)
	}
	return from
}
