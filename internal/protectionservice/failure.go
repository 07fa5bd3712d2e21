package protectionservice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/protectionservice/restore"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// fail makes a failure visible, with the reason of each resource. Without it the
// operation would never end: so whatever goes wrong here is tried again.
func (s *Service) fail(ctx context.Context, task *workflow.Task) error {
	op, err := s.store.Operation(ctx, task.Operation)
	switch {
	case karbor.KindOf(err) == karbor.NotFound && err != nil:
		return err // there is nothing to end
	case err == nil && !op.EndedAt.IsZero():
		return nil
	case err == nil:
		err = s.endFailed(ctx, op, task.Failure, ending{patient: task.Attempt < bankAttempts})
	}
	return unended(err)
}

// unended is why an operation could not be ended: something to try again, as it would never end.
func unended(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &karbor.Error{
		Kind: karbor.Unavailable, Message: "the end of the operation could not be recorded", Transient: true, Cause: err,
	}
}

// bankAttempts is how often a bank that does not answer is asked to record a
// failure: for about ten minutes. Then only the catalogue says so.
const bankAttempts = 15

// ending says how an operation that failed is ended.
type ending struct {
	// patient has a bank that does not answer waited for, by way of an error.
	patient bool
	// abandoned says that the steps which undo did not run.
	abandoned bool
}

// waits reports whether the end is to be tried again after an error of the bank.
func (how ending) waits(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || how.patient && karbor.IsTransient(err))
}

// endFailed ends an operation that failed, or, where its bank says that it has done what it was to do,
// as one that succeeded.
func (s *Service) endFailed(ctx context.Context, op store.Operation, f *workflow.Failure, how ending) error {
	if op.Type == karbor.CopyOperation {
		return s.endFailedCopy(ctx, op, f)
	}
	if over, err := s.recorded(ctx, op); over || how.waits(ctx, err) {
		return err
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return err
	}
	why := outcome.Sort(op.Graph, f)
	if why.Kept, err = s.attempts.Kept(ctx, op, rows); err != nil {
		return err
	}
	if how.abandoned {
		s.leftovers.NoteAbandoned(op, rows, &why)
	}
	restore.NotBroughtBack(op, rows, &why)
	seen := slices.Clone(rows)
	if err := s.forgetUndone(ctx, op, rows, why); err != nil {
		return err
	}
	o := outcome.Failed(op.Type)
	o.ErrorInfo = why.Text()
	why.Explain(&o, op.Graph, rows)
	o.Reasons, o.Left = o.ResourcesReason, why.Left()
	if len(o.Reasons) == 0 {
		o.Reasons = map[string]string{"": o.ErrorInfo}
	}
	if op.Type == karbor.DrillOperation {
		if err := s.drillSteps.Conclude(ctx, op, seen, why, &o); err != nil {
			return err
		}
	}
	if op.Type == karbor.Protect {
		if err := s.recall(ctx, op, rows, &o, how); err != nil {
			return err
		}
		if o.Size, err = protect.Discard(ctx, s.operations, s.log, op, rows, how.patient); err != nil {
			return err
		}
	}
	if o.CheckpointStatus != "" {
		if err := s.failInBank(ctx, op, o, failable(op, rows), how); err != nil {
			return err
		}
	}
	return s.operations.End(ctx, op, o)
}

// failInBank records the failure in the bank. A bank that refuses it (it is full,
// say) does not keep the operation from its end: the catalogue tells the tenant, and
// a delete takes the checkpoint up as it lies.
// The checkpoint must be in one of the states from, if there are any.
func (s *Service) failInBank(ctx context.Context, op store.Operation, o store.Outcome, from []karbor.CheckpointStatus, how ending) error {
	p, err := s.operations.Place(op)
	if err == nil {
		err = p.Checkpoints().SetState(ctx, op.ProjectID, op.CheckpointID, o.CheckpointStatus, checkpoint.Change{
			From: from, Reasons: o.Reasons, Size: o.Size,
		})
		// A checkpoint that failed before it was in the bank is not there.
		if err == nil || karbor.KindOf(err) == karbor.NotFound {
			return nil
		}
	}
	if how.waits(ctx, err) {
		return fmt.Errorf("recording the failure of checkpoint %s in the bank: %w", op.CheckpointID, err)
	}
	s.log.ErrorContext(ctx, "the failure of a checkpoint can't be recorded in its bank; the catalogue has it",
		"operation", op.ID, "checkpoint", op.CheckpointID, "provider", op.ProviderID, "error", err)
	return nil
}

// forgetUndone takes the new ids out of the records of the resources that were
// undone: what they named is gone. A drill's keep them, as its evidence tells them: it may have to
// be written again.
func (s *Service) forgetUndone(ctx context.Context, op store.Operation, rows []store.ResourceRecord, f outcome.Failures) error {
	p, err := s.operations.Place(op)
	if err != nil {
		return nil // nobody has undone anything
	}
	for i := range rows {
		r := &rows[i]
		n := op.Graph.Node(r.Key)
		if len(f.Undo[r.Key]) > 0 || f.Kept[r.Key] || hooks.Undo(p, hooks.Kind(op), n.Type) == nil || r.NewID == "" && len(r.Parts) == 0 && len(r.NotKept) == 0 {
			continue
		}
		if op.Type == karbor.DrillOperation {
			r.NewID = ""
			continue
		}
		err := record.Of(s.store, op.ID, n.Key()).Update(ctx, func(row *store.ResourceRecord) {
			row.NewID, row.Parts = "", nil
			if hooks.Kind(op) != protection.InPlace { // there it is of what the undo has left
				row.NotKept = nil
			}
		})
		if err != nil {
			return err
		}
		r.NewID = ""
	}
	return nil
}

// endFailedCopy ends a request that was cancelled, or that nobody can carry out.
func (s *Service) endFailedCopy(ctx context.Context, op store.Operation, f *workflow.Failure) error {
	return s.endFailedCopyAs(ctx, op, cmp.Or(outcome.Sort(op.Graph, f).Text(), dispatch.Vanished))
}

func (s *Service) endFailedCopyAs(ctx context.Context, op store.Operation, reason string) error {
	p, err := s.operations.Place(op)
	if err != nil {
		p = nil // its file has gone, and with it the way to its banks
	}
	o, err := s.copier.Fail(ctx, op, p, reason)
	if err != nil {
		return err
	}
	return s.operations.End(ctx, op, o)
}
