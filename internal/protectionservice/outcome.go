package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// end makes success visible: in the bank first, which is the truth, then in the
// store. In a flow without hooks it does the work of begin before.
func (s *Service) end(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil || !w.op.EndedAt.IsZero() {
		return err
	}
	whole := task.Input == flow.Begin
	if whole && w.op.Type != karbor.Protect {
		if err := s.begin(ctx, task); err != nil {
			return err
		}
	}
	if w.op.Type == karbor.CopyOperation {
		o, err := s.copier.End(ctx, w.op)
		if err != nil {
			return err
		}
		return s.finish(ctx, w.op, o)
	}
	rows, err := s.store.Resources(ctx, w.op.ID)
	if err != nil {
		return err
	}
	o := store.Outcome{}
	switch w.op.Type {
	case karbor.Protect:
		for _, r := range rows {
			o.Size += r.Total
		}
		o.Figures = outcome.Figures(w.op.Graph, rows, w.provider.SharesData())
		o.CheckpointStatus, o.LogStatus = karbor.CheckpointAvailable, karbor.LogStatus(karbor.CheckpointAvailable)
		err = s.publish(ctx, w, whole, checkpoint.Change{
			From: []karbor.CheckpointStatus{karbor.CheckpointProtecting}, Size: o.Size, Figures: o.Figures,
		})
	case karbor.Delete:
		o.CheckpointStatus, o.LogStatus = karbor.CheckpointDeleted, karbor.LogStatus(karbor.CheckpointDeleted)
		if err := s.clearLeftovers(ctx, w.op); err != nil {
			return err
		}
		if err = w.provider.Checkpoints().Purge(ctx, w.op.ProjectID, w.op.CheckpointID); err == nil {
			s.custody.Freed(w.provider, w.op.ProjectID)
		}
	case karbor.Verify:
		if o, err = s.verifiedAs(ctx, w, rows); err != nil {
			return err
		}
		return s.finish(ctx, w.op, o)
	default:
		o.RestoreStatus, o.LogStatus = karbor.RestoreSuccess, karbor.LogSuccess
	}
	if err != nil {
		return fmt.Errorf("ending operation %s: %w", w.op.ID, err)
	}
	o.ResourcesStatus, o.ResourcesReason = map[string]karbor.ResourceState{}, map[string]string{}
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		o.ResourcesStatus[outcome.NewKey(w.op.Graph, r)] = outcome.Done(w.op.Type)
		o.Records[r.Key] = store.RecordOutcome{State: outcome.Done(w.op.Type)}
	}
	return s.finish(ctx, w.op, o)
}

// publish makes a checkpoint available in the bank; whole says that no step before has
// made it there.
func (s *Service) publish(ctx context.Context, w work, whole bool, change checkpoint.Change) error {
	if !whole {
		return w.provider.Checkpoints().SetState(ctx, w.op.ProjectID, w.op.CheckpointID, karbor.CheckpointAvailable, change)
	}
	cp, err := s.made(ctx, w.op)
	if err != nil {
		return fmt.Errorf("reading checkpoint %s: %w", w.op.CheckpointID, err)
	}
	return w.provider.Checkpoints().CreateAvailable(ctx, cp, change)
}

// finish ends the operation in the store, and has what it was authorized with given
// back.
func (s *Service) finish(ctx context.Context, op store.Operation, o store.Outcome) error {
	o.Revoke = s.delegations.Revocable(ctx, op)
	if err := s.store.EndOperation(ctx, op.ID, o); err != nil {
		return fmt.Errorf("recording the end of operation %s: %w", op.ID, err)
	}
	s.log.InfoContext(ctx, "operation ended", "operation", op.ID, "type", op.Type, "project", op.ProjectID,
		"checkpoint", op.CheckpointID, "status", o.LogStatus, "reason", o.ErrorInfo)
	s.drop(op.ID)
	if o.Revoke {
		s.delegations.Wake()
	}
	return nil
}
