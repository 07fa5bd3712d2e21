package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// work is what every action needs of its operation.
type work struct {
	op       store.Operation
	provider *provider.Provider
}

func (s *Service) work(ctx context.Context, task *workflow.Task) (work, error) {
	op, err := s.operation(ctx, task.Operation)
	if err != nil {
		return work{}, fmt.Errorf("reading operation %s: %w", task.Operation, err)
	}
	p, err := s.place(op)
	if err != nil {
		return work{}, err
	}
	return work{op, p}, nil
}

// begin makes the operation visible in the bank before anything else happens.
func (s *Service) begin(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	switch w.op.Type {
	case karbor.Protect:
		cp, err := s.made(ctx, w.op)
		if err != nil {
			return fmt.Errorf("reading checkpoint %s: %w", w.op.CheckpointID, err)
		}
		return w.provider.Checkpoints().Create(ctx, cp)
	case karbor.Delete:
		return beginDelete(ctx, w)
	case karbor.RestoreOperation, karbor.Verify:
		return s.standIns.BeginReading(ctx, w.op, w.provider, task)
	default:
		return nil
	}
}

// beginDelete makes the bank say that a checkpoint is being deleted. What the bank
// says may differ from the catalogue where a bank that was full, or did not answer,
// did not take the failure of the checkpoint. That nobody else works on it is known
// from the catalogue.
func beginDelete(ctx context.Context, w work) error {
	set := func(to karbor.CheckpointStatus, from ...karbor.CheckpointStatus) error {
		return w.provider.Checkpoints().SetState(ctx, w.op.ProjectID, w.op.CheckpointID, to, checkpoint.Change{From: from})
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

// step takes the input of a hook's step apart: the hook's word and the node.
func (w work) step(input string) (hook string, node *karbor.Node, err error) {
	if hook, node = flow.NodeOf(w.op.Graph, input); node == nil {
		return "", nil, fmt.Errorf("operation %s has no resource %q", w.op.ID, input)
	}
	return hook, node, nil
}

// hook runs one hook of one resource.
func (s *Service) hook(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	word, node, err := w.step(task.Input)
	if err != nil {
		return err
	}
	hook, last := flow.Find(hooksOf(w.provider, kindOf(w.op), node.Type), word)
	if hook == nil {
		return karbor.Errorf(karbor.Unavailable, "the plug-in for %s of provider %s was changed while the operation ran", node.Type, w.provider.Name)
	}
	if keepsOnly(w.provider, w.op.Type, node.Type) {
		hook = s.verifyKept(w, node)
	}
	if w.op.Type == karbor.DrillOperation && drill.IsSite(node) {
		hook = s.isolate(w)
	}
	if ctx, err = s.store.Claim(ctx, w.op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	return s.timed(ctx, w, node, word, func() error { return s.runHook(ctx, w, node, task, hook, word, last) })
}

func (s *Service) runHook(ctx context.Context, w work, node *karbor.Node, task *workflow.Task, hook protection.Hook, word string, last bool) error {
	row := s.record(w, node)
	faulty := false
	if err := row.Update(ctx, func(r *store.ResourceRecord) {
		if faulty = w.op.Type == karbor.Verify && r.State == karbor.ResourceError; faulty {
			return
		}
		if r.Phase != word {
			r.Reason = ""
		}
		r.Started, r.State, r.Phase = true, outcome.Working(w.op.Type), word
	}); err != nil || faulty {
		return err // an earlier hook has found that it is not good
	}
	if w.op.Type == karbor.Delete {
		if err := w.provider.Checkpoints().BeginPurge(ctx, w.op.ProjectID, w.op.CheckpointID); err != nil {
			return err
		}
	}
	call, moved, err := s.newCall(ctx, w, node, task, row)
	if err != nil {
		return err
	}
	if err := s.watch(w.op, node, word).Run(ctx, hook, call); err != nil {
		if w.op.Type == karbor.Verify {
			err = plain(err)
		}
		if err = explain(err, node); isFinding(ctx, w.op, err) {
			return s.found(ctx, w.op, row, err)
		}
		return s.tell(ctx, row, err)
	}
	if word != flow.Main && !last {
		return nil
	}
	return row.Update(ctx, func(r *store.ResourceRecord) {
		r.Reason = ""
		if d, t := moved.get(); d > 0 || t > 0 {
			r.Done, r.Total = d, t
		}
		if sum, ok := moved.tally.Sum(); ok {
			r.New, r.Stored = sum.New, sum.Stored
		}
		if last {
			r.State, r.Phase = outcome.Done(w.op.Type), ""
		}
	})
}

// explain names the resource in an error of its hook. The kind and whether it can
// pass stay.
func explain(err error, node *karbor.Node) error {
	what := fmt.Sprintf("%s %s", node.Type.Word(), node.ID)
	if node.Name != "" {
		what = fmt.Sprintf("%s %q (%s)", node.Type.Word(), node.Name, node.ID)
	}
	return &karbor.Error{
		Kind: karbor.KindOf(err), Message: what + ": " + karbor.Sentence(err), Transient: karbor.IsTransient(err), Cause: err,
	}
}

// undo removes what the hooks of one resource made, or, after all that, resumes it.
func (s *Service) undo(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	word, node, err := w.step(task.Input)
	if err != nil {
		return err
	}
	if ctx, err = s.store.Claim(ctx, w.op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	row := s.record(w, node)
	if stays, err := s.stays(ctx, w.op, node); err != nil || stays {
		return err
	}
	started := false
	if err := row.Update(ctx, func(r *store.ResourceRecord) {
		if started = r.Started; !started {
			return
		}
		if r.Phase = word; word == flow.Undo && kindOf(w.op) == protection.InPlace {
			r.NotKept = nil // what was told of the restored bytes; the undo tells what stays
		}
	}); err != nil || !started {
		return err
	}
	call, _, err := s.newCall(ctx, w, node, task, row)
	if err != nil {
		return err
	}
	hook := undoOf(w.provider, kindOf(w.op), node.Type)
	if word == flow.Resume {
		hook = hooksOf(w.provider, kindOf(w.op), node.Type).Resume
	}
	if hook == nil {
		return nil
	}
	hook = s.watched(w.op, node, word, hook)
	err = s.timed(ctx, w, node, drill.RemovalEvent, func() error { return s.undoNow(ctx, w.op, hook, call, task) })
	if err != nil {
		return explain(err, node)
	}
	return nil
}

// tell lets the tenant see why a hook failed while it is tried again, or while what
// was made is removed. It gives the hook's error back.
func (s *Service) tell(ctx context.Context, row record.Record, failure error) error {
	if ctx.Err() != nil {
		return failure
	}
	if err := row.Update(ctx, func(r *store.ResourceRecord) { r.Reason = karbor.Sentence(failure) }); err != nil {
		s.log.ErrorContext(ctx, "the reason of a failure can't be recorded yet", "error", err)
	}
	return failure
}
