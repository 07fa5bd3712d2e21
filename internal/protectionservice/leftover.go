package protectionservice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

const (
	// leftoverPause is the time before what is left is tried for the first time; it
	// grows to an hour with the tries.
	leftoverPause = time.Minute
	// leftoverLook is how often it is looked for what is due, and leftoverBatch how
	// much of it is taken at a time.
	leftoverLook  = time.Minute
	leftoverBatch = 100
	// leftoverTimeout limits one try, deleteTimeout all those of one delete.
	leftoverTimeout = 5 * time.Minute
	deleteTimeout   = 5 * time.Minute
)

// neverUndone is why something is left of an operation that has lost its engine.
const neverUndone = "the operation ended before it was removed"

// noteAbandoned notes, in an operation whose steps did not run to their end, that
// nothing was undone.
func (s *Service) noteAbandoned(op store.Operation, rows []store.ResourceRecord, why *outcome.Failures) {
	p, err := s.place(op)
	for _, r := range rows {
		if r.Started && !why.Kept[r.Key] && (err != nil || undoOf(p, kindOf(op), op.Graph.Node(r.Key).Type) != nil) {
			why.Undo[r.Key] = append(why.Undo[r.Key], neverUndone)
		}
	}
}

// sweepLeftovers tries to remove, until ctx ends, what operations have left in the
// cloud: each thing soon, and then more and more seldom, down to once an hour.
func (s *Service) sweepLeftovers(ctx context.Context) {
	ticker := time.NewTicker(leftoverLook)
	defer ticker.Stop()
	for {
		due, err := s.store.DueLeftovers(ctx, s.now().Add(-leftoverPause), leftoverBatch)
		if err == nil {
			err = s.sweep(ctx, due)
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "removing what operations have left in the cloud failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// clearLeftovers tries to remove what is left of a checkpoint that is being deleted:
// its documents, which say what a restore has made, are there for the last time.
func (s *Service) clearLeftovers(ctx context.Context, op store.Operation) error {
	found, err := s.store.LeftoversOf(ctx, op.ProviderID, op.CheckpointID)
	if err != nil || len(found) == 0 {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	if err := s.sweep(limited, found); err != nil {
		s.log.WarnContext(ctx, "what is left in the cloud of a checkpoint is not removed with it", "checkpoint", op.CheckpointID, "error", err)
	}
	return ctx.Err()
}

func (s *Service) sweep(ctx context.Context, found []store.Leftover) error {
	var errs []error
	for _, l := range found {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, s.sweepOne(ctx, l))
	}
	return errors.Join(errs...)
}

// sweepOne tries to remove one leftover, unless another process does.
func (s *Service) sweepOne(ctx context.Context, l store.Leftover) error {
	mine, err := s.store.ClaimLeftover(ctx, l)
	if err != nil || !mine {
		return err
	}
	op, err := s.store.Operation(ctx, l.OperationID)
	if err != nil {
		return err
	}
	defer s.drop(op.ID)
	lasting, failure := s.undoLeft(ctx, op, l.Key)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	attrs := []any{"operation", l.OperationID, "resource", l.Key, "project", l.ProjectID, "checkpoint", l.CheckpointID}
	if failure == nil {
		s.log.InfoContext(ctx, "what an operation had left in the cloud is removed", attrs...)
		err = s.store.RemoveLeftover(ctx, l, s.delegations.Revocable(ctx, op))
	} else {
		l.Reason = karbor.Sentence(failure)
		l.GivenUp = lasting || s.now().Sub(l.CreatedAt) >= s.leftoverTime
		s.log.WarnContext(ctx, "what an operation has left in the cloud could not be removed", append(attrs, "error", failure, "given_up", l.GivenUp)...)
		err = s.store.KeepLeftover(ctx, l, s.delegations.Revocable(ctx, op))
	}
	s.delegations.Wake()
	return err
}

// undoLeft runs the Undo hook of one resource of an operation that is over. lasting
// says that it can't succeed later either.
func (s *Service) undoLeft(ctx context.Context, op store.Operation, key karbor.NodeKey) (lasting bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leftoverTimeout)
	defer cancel()
	p, err := s.place(op)
	if err != nil {
		return false, err
	}
	node := op.Graph.Node(key)
	if node == nil {
		return true, karbor.Errorf(karbor.NotFound, "the operation has no such resource")
	}
	hook := leftOf(p, op, node.Type)
	if hook == nil || op.Delegation == nil {
		return true, karbor.Errorf(karbor.Unauthorized, "nobody may remove it in the tenant's name any more")
	}
	if op.Type == karbor.RestoreOperation {
		// Without its documents a hook would not know what it has made. A drill's things are found
		// by their marks.
		_, err := s.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
		if err != nil {
			return karbor.KindOf(err) == karbor.NotFound, fmt.Errorf("reading the checkpoint: %w", err)
		}
	}
	if _, err := s.delegations.Session(ctx, op); err != nil {
		return !karbor.IsTransient(err), err
	}
	w := work{op, p}
	task := &workflow.Task{Operation: op.ID, Progress: func(int64, int64) {}}
	call, _, err := s.newCall(ctx, w, node, task, s.record(w, node))
	if err != nil {
		return false, err
	}
	if err := protection.Undo(openstack.WithPatience(ctx, undoPatience), hook, call); err != nil {
		return karbor.KindOf(err) == karbor.Unauthorized, err
	}
	return false, s.record(w, node).Update(ctx, func(row *store.ResourceRecord) { row.NewID, row.Parts = "", nil })
}

// renewLeftovers has what is left of a checkpoint that its tenant deletes be removed
// in the tenant's name of now: what it was made with may have ended. What lies in
// another cloud needs what let the restore in there. It can't keep a checkpoint from
// being deleted.
func (s *Service) renewLeftovers(ctx context.Context, c Caller, providerID, checkpointID string) {
	found, err := s.store.LeftoversOf(ctx, providerID, checkpointID)
	done := map[string]bool{}
	for _, l := range found {
		if !done[l.OperationID] {
			done[l.OperationID] = true
			err = errors.Join(err, s.renewOne(ctx, c, l.OperationID))
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "there is no new delegation for what is left in the cloud of a checkpoint", "checkpoint", checkpointID, "error", err)
	}
}

func (s *Service) renewOne(ctx context.Context, c Caller, operationID string) error {
	op, err := s.store.Operation(ctx, operationID)
	if err != nil {
		return err
	}
	elsewhere, err := s.delegations.Elsewhere(op)
	if err != nil {
		return err
	}
	if op.Type == karbor.RestoreOperation && !elsewhere {
		r, err := s.store.Restore(ctx, op.ProjectID, op.RestoreID)
		if err != nil {
			return err
		}
		elsewhere = r.RestoreTarget != ""
	}
	if elsewhere {
		return nil
	}
	if err := s.delegations.Renew(ctx, c.Identity, op); err != nil {
		return err
	}
	s.drop(op.ID)
	return nil
}
