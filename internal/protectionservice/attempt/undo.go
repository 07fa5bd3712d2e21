package attempt

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// Undo removes what the hooks of one resource made, or, after all that, resumes it.
func (r *Runner) Undo(ctx context.Context, w running.Work, task *workflow.Task) error {
	word, node, err := w.Step(task.Input)
	if err != nil {
		return err
	}
	if ctx, err = r.store.Claim(ctx, w.Op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	row := r.record(w, node)
	if stays, err := r.stays(ctx, w.Op, node); err != nil || stays {
		return err
	}
	started := false
	if err := row.Update(ctx, func(r *store.ResourceRecord) {
		if started = r.Started; !started {
			return
		}
		if r.Phase = word; word == flow.Undo && hooks.Kind(w.Op) == protection.InPlace {
			r.NotKept = nil // what was told of the restored bytes; the undo tells what stays
		}
	}); err != nil || !started {
		return err
	}
	call, _, err := r.call(ctx, w, node, task, row)
	if err != nil {
		return err
	}
	hook := hooks.Undo(w.Provider, hooks.Kind(w.Op), node.Type)
	if word == flow.Resume {
		hook = hooks.Of(w.Provider, hooks.Kind(w.Op), node.Type).Resume
	}
	if hook == nil {
		return nil
	}
	hook = r.watched(w.Op, node, word, hook)
	ctx, leave := r.cohorts.join(ctx, w.Op.ID, node.Type)
	defer leave()
	err = r.timed(ctx, w, node, drill.RemovalEvent, func() error { return r.undoNow(ctx, w.Op, hook, call, task) })
	if err != nil {
		return outcome.Of(node, err)
	}
	if call.Drill {
		return r.store.ReleaseDrilled(ctx, w.Op.ID, node.Key())
	}
	return nil
}

// undoPatience is how long an undo takes errors that may pass before its attempt is
// over: it will be tried again, and the operation must come to an end.
const undoPatience = time.Minute

const (
	// cancelUndo bounds one try to remove what a cancelled operation made, and
	// cancelTries their number: what is in transition in the cloud then goes to the
	// ledger, and the operation ends without it.
	cancelUndo  = 20 * time.Second
	cancelTries = 3
	// cancelPatience is how long such a try takes errors that may pass.
	cancelPatience = 5 * time.Second
)

// undoNow runs an Undo hook in an operation that has failed. In one that was cancelled
// somebody waits for its end: what can't be removed soon is left to the ledger. What was
// overwritten in place is no such thing: nobody brings it back later.
func (r *Runner) undoNow(ctx context.Context, op store.Operation, hook protection.Hook, call *protection.Call, task *workflow.Task) error {
	if hooks.Kind(op) == protection.InPlace || task.Failure == nil || task.Failure.Cancelled == "" {
		return protection.Undo(openstack.WithPatience(ctx, undoPatience), hook, call)
	}
	limited, cancel := context.WithTimeout(ctx, cancelUndo)
	defer cancel()
	err := protection.Undo(openstack.WithPatience(limited, cancelPatience), hook, call)
	if err == nil || ctx.Err() != nil || !karbor.IsTransient(err) || task.Attempt < cancelTries {
		return err
	}
	return &karbor.Error{
		Kind: karbor.Conflict, Message: karbor.Sentence(err) + "; it is removed as soon as the cloud lets it", Cause: err,
	}
}

// Remove runs a hook that removes what is left of a resource of an operation that is over. lasting
// says that it can't succeed later either.
func (r *Runner) Remove(ctx context.Context, w running.Work, node *karbor.Node, hook protection.Hook) (lasting bool, err error) {
	row := r.record(w, node)
	task := &workflow.Task{Operation: w.Op.ID, Progress: func(int64, int64) {}}
	call, _, err := r.call(ctx, w, node, task, row)
	if err != nil {
		return false, err
	}
	if err := protection.Undo(openstack.WithPatience(ctx, undoPatience), hook, call); err != nil {
		return karbor.KindOf(err) == karbor.Unauthorized, err
	}
	return false, row.Update(ctx, func(row *store.ResourceRecord) { row.NewID, row.Parts = "", nil })
}

// Kept gives the resources that stay when their restore has failed, if that was asked
// for: those that are whole. What stands on one that stays does so too, whole or not: to
// remove a server may be to remove its volumes.
func (r *Runner) Kept(ctx context.Context, op store.Operation, rows []store.ResourceRecord) (map[karbor.NodeKey]bool, error) {
	if op.Type != karbor.RestoreOperation {
		return nil, nil
	}
	asked, err := r.store.Restore(ctx, op.ProjectID, op.RestoreID)
	if err != nil {
		return nil, fmt.Errorf("reading restore %s: %w", op.RestoreID, err)
	}
	if !asked.KeepOnFailure {
		return nil, nil
	}
	return restoration.Kept(op.Graph, rows), nil
}

// stays reports whether a resource stays though its restore has failed.
func (r *Runner) stays(ctx context.Context, op store.Operation, n *karbor.Node) (bool, error) {
	if op.Type != karbor.RestoreOperation {
		return false, nil
	}
	rows, err := r.store.Resources(ctx, op.ID)
	if err != nil {
		return false, fmt.Errorf("reading the resources of operation %s: %w", op.ID, err)
	}
	kept, err := r.Kept(ctx, op, rows)
	return kept[n.Key()], err
}
