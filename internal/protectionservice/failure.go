package protectionservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// failedOutcome is how an operation of a kind ends when it failed.
func failedOutcome(op karbor.OperationType) store.Outcome {
	switch op {
	case karbor.Protect:
		return store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: karbor.LogStatus(karbor.CheckpointError)}
	case karbor.Delete:
		return store.Outcome{CheckpointStatus: karbor.CheckpointErrorDeleting, LogStatus: karbor.LogStatus(karbor.CheckpointErrorDeleting)}
	case karbor.Verify:
		return store.Outcome{VerificationStatus: karbor.VerificationError, LogStatus: karbor.LogError}
	default:
		return store.Outcome{RestoreStatus: karbor.RestoreFail, LogStatus: karbor.LogError}
	}
}

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

// endFailed ends an operation that failed.
func (s *Service) endFailed(ctx context.Context, op store.Operation, f *workflow.Failure, how ending) error {
	if op.Type == karbor.CopyOperation {
		return s.endFailedCopy(ctx, op, f, how)
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return err
	}
	why := sortFailures(op.Graph, f)
	if why.kept, err = s.kept(ctx, op, rows); err != nil {
		return err
	}
	if how.abandoned {
		s.noteAbandoned(op, rows, &why)
	}
	if err := s.forgetUndone(ctx, op, rows, why); err != nil {
		return err
	}
	o := failedOutcome(op.Type)
	o.ErrorInfo = why.text()
	why.explain(&o, op.Graph, rows)
	o.Reasons, o.Left = o.ResourcesReason, why.left()
	if len(o.Reasons) == 0 {
		o.Reasons = map[string]string{"": o.ErrorInfo}
	}
	if op.Type == karbor.Protect {
		if o.Size, err = s.discard(ctx, op, rows, how.patient); err != nil {
			return err
		}
	}
	if o.CheckpointStatus != "" {
		if err := s.failInBank(ctx, op, o, how.patient); err != nil {
			return err
		}
	}
	return s.finish(ctx, op, o)
}

// discard removes from the bank what a checkpoint that could not be made has kept
// there. Where the bank does not let it, it gives the bytes that stay: they count until
// the checkpoint is deleted.
func (s *Service) discard(ctx context.Context, op store.Operation, rows []store.ResourceRecord, patient bool) (left int64, err error) {
	p, err := s.place(op)
	if err == nil {
		if err = p.Checkpoints().Discard(ctx, op.ProjectID, op.CheckpointID); err == nil {
			return 0, nil
		}
	}
	if ctx.Err() != nil || patient && karbor.IsTransient(err) {
		return 0, fmt.Errorf("removing what the failed checkpoint %s has kept in the bank: %w", op.CheckpointID, err)
	}
	for _, r := range rows {
		left += r.Total
	}
	s.log.ErrorContext(ctx, "what a checkpoint that could not be made has kept stays in its bank until it is deleted",
		"operation", op.ID, "checkpoint", op.CheckpointID, "provider", op.ProviderID, "bytes", left, "error", err)
	return left, nil
}

// failInBank records the failure in the bank. A bank that refuses it (it is full,
// say) does not keep the operation from its end: the catalogue tells the tenant, and
// a delete takes the checkpoint up as it lies.
func (s *Service) failInBank(ctx context.Context, op store.Operation, o store.Outcome, patient bool) error {
	p, err := s.place(op)
	if err == nil {
		err = p.Checkpoints().SetState(ctx, op.ProjectID, op.CheckpointID, o.CheckpointStatus, checkpoint.Change{Reasons: o.Reasons, Size: o.Size})
		// A checkpoint that failed before it was in the bank is not there.
		if err == nil || karbor.KindOf(err) == karbor.NotFound {
			return nil
		}
	}
	if ctx.Err() != nil || patient && karbor.IsTransient(err) {
		return fmt.Errorf("recording the failure of checkpoint %s in the bank: %w", op.CheckpointID, err)
	}
	s.log.ErrorContext(ctx, "the failure of a checkpoint can't be recorded in its bank; the catalogue has it",
		"operation", op.ID, "checkpoint", op.CheckpointID, "provider", op.ProviderID, "error", err)
	return nil
}

// failures are those of an operation's steps.
type failures struct {
	cancelled string
	// general are of steps of no resource; hooks and undo are by resource, in the
	// order in which they happened.
	general     []string
	hooks, undo map[karbor.NodeKey][]string
	// all has each text once, in that order.
	all []string
	// kept are the resources that stay.
	kept map[karbor.NodeKey]bool
}

func sortFailures(g *karbor.Graph, f *workflow.Failure) failures {
	out := failures{hooks: map[karbor.NodeKey][]string{}, undo: map[karbor.NodeKey][]string{}}
	if f == nil {
		return out
	}
	out.cancelled = f.Cancelled
	for _, e := range f.Steps {
		hook, n := nodeOf(g, e.Step)
		text := e.Sentence
		switch {
		case n == nil:
			out.general = append(out.general, text)
		case hook == actionUndo:
			out.undo[n.Key()] = append(out.undo[n.Key()], text)
			text = notUndone + text
		default:
			out.hooks[n.Key()] = append(out.hooks[n.Key()], text)
		}
		if !slices.Contains(out.all, text) {
			out.all = append(out.all, text)
		}
	}
	return out
}

const (
	// stopped is the reason of a resource that did not fail itself.
	stopped = "stopped, as the operation failed elsewhere"
	// notUndone begins what an undo failed with.
	notUndone = "what was made could not be removed: "
)

// text says in one text why the operation failed.
func (f failures) text() string {
	parts := f.all
	if f.cancelled != "" {
		parts = append([]string{f.cancelled}, parts...)
	}
	return strings.Join(parts, "; ")
}

// reason says why a resource failed, and what of it is left.
func (f failures) reason(n *karbor.Node, r store.ResourceRecord) string {
	var parts []string
	switch {
	case len(f.hooks[r.Key]) > 0:
		parts = slices.Clone(f.hooks[r.Key])
	case len(f.general) > 0:
		parts = slices.Clone(f.general)
	case f.cancelled != "":
		parts = []string{f.cancelled}
	default:
		parts = []string{stopped}
	}
	for _, text := range f.undo[r.Key] {
		parts = append(parts, notUndone+text)
	}
	if f.kept[r.Key] {
		parts = append(parts, keptPart)
	}
	if r.NewID != "" {
		parts = append(parts, fmt.Sprintf("the new %s %s is left", n.Type.Word(), r.NewID))
	}
	return strings.Join(slices.Compact(parts), "; ")
}

// explain fills in the state and reason of each resource, by its original id.
func (f failures) explain(o *store.Outcome, g *karbor.Graph, rows []store.ResourceRecord) {
	o.ResourcesStatus = make(map[string]karbor.ResourceState, len(rows))
	o.ResourcesReason = make(map[string]string, len(rows))
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		n := g.Node(r.Key)
		key, reason := originalKey(n), f.reason(n, r)
		if f.kept[r.Key] && r.State == karbor.ResourceAvailable {
			key = resultKey(g, r)
			o.ResourcesStatus[key], o.ResourcesReason[key] = r.State, keptWhole
			o.Records[r.Key] = store.RecordOutcome{State: r.State, Reason: keptWhole}
			continue
		}
		if o.VerificationStatus != "" && r.State == karbor.ResourceVerified {
			o.ResourcesStatus[key], o.Records[r.Key] = r.State, store.RecordOutcome{State: r.State}
			continue
		}
		if o.VerificationStatus != "" && r.State == karbor.ResourceError {
			reason = r.Reason // what was found before
		}
		o.ResourcesStatus[key], o.ResourcesReason[key] = karbor.ResourceError, reason
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceError, Reason: reason}
	}
}

// forgetUndone takes the new ids out of the records of the resources that were
// undone: what they named is gone.
func (s *Service) forgetUndone(ctx context.Context, op store.Operation, rows []store.ResourceRecord, f failures) error {
	p, err := s.place(op)
	if err != nil {
		return nil // nobody has undone anything
	}
	for i := range rows {
		r := &rows[i]
		n := op.Graph.Node(r.Key)
		if len(f.undo[r.Key]) > 0 || f.kept[r.Key] || p.Hooks(op.Type, n.Type).Undo == nil || r.NewID == "" && len(r.Parts) == 0 && len(r.NotKept) == 0 {
			continue
		}
		err := s.record(work{op: op}, n).update(ctx, func(row *store.ResourceRecord) {
			row.NewID, row.Parts, row.NotKept = "", nil, nil
		})
		if err != nil {
			return err
		}
		r.NewID = ""
	}
	return nil
}
