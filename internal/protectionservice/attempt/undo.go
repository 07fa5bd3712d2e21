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
	if whole, err := r.whole(ctx, w, task); err != nil || whole {
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
	out, err := r.call(ctx, w, node, task, row)
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
	hook = r.watched(w.Op, node, word, out.fresh.Reading(hook))
	ctx, leave := r.cohorts.join(ctx, w.Op.ID, node.Type)
	defer leave()
	err = r.timed(ctx, w, node, drill.RemovalEvent, func() error { return r.undoNow(ctx, w.Op, hook, out.Call, task) })
	if err != nil {
		return outcome.Of(node, err)
	}
	if out.Drill {
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
	return leave(ctx, task, "the cloud lets it", protection.Undo(openstack.WithPatience(limited, cancelPatience), hook, call))
}

// leave has an undo that waits for what may pass, in an operation that was cancelled, be left to the
// ledger after some tries.
func leave(ctx context.Context, task *workflow.Task, until string, err error) error {
	if err == nil || ctx.Err() != nil || !karbor.IsTransient(err) || task.Attempt < cancelTries {
		return err
	}
	return &karbor.Error{
		Kind: karbor.Conflict, Message: karbor.Sentence(err) + "; it is removed as soon as " + until, Cause: err,
	}
}

// wholeTime bounds one look at the bank before an undo.
const wholeTime = 20 * time.Second

// whole reports whether there is nothing to undo in an operation though it has failed: it has made a
// checkpoint that its bank has as available, so that what its hooks made belongs to that. The end of the
// operation was not recorded; it is told from the bank, too. A bank that can't say so is waited for:
// removing something is never in a hurry.
func (r *Runner) whole(ctx context.Context, w running.Work, task *workflow.Task) (bool, error) {
	if w.Op.Type != karbor.Protect {
		return false, nil
	}
	look, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	status, err := w.Provider.Checkpoints().Status(look, w.Op.ProjectID, w.Op.CheckpointID)
	if err != nil {
		err = fmt.Errorf("looking whether there is anything to undo: %w", err)
		if task.Failure != nil && task.Failure.Cancelled != "" {
			err = leave(ctx, task, "the bank says whether the checkpoint is whole", err)
		}
		return false, err
	}
	return status == karbor.CheckpointAvailable, nil
}

// Remove runs a hook that removes what is left of a resource of an operation that is over. lasting
// says that it can't succeed later either.
// What belongs to a checkpoint that is available in its bank stays, and is no error: only what is temporary
// is left of that.
func (r *Runner) Remove(ctx context.Context, w running.Work, node *karbor.Node, hook protection.Hook) (lasting bool, err error) {
	row := r.record(w, node)
	task := &workflow.Task{Operation: w.Op.ID, Progress: func(int64, int64) {}}
	whole, err := r.whole(ctx, w, task)
	if err != nil {
		return false, err
	}
	if whole {
		if hook = hooks.Of(w.Provider, karbor.Protect, node.Type).Sweep; hook == nil {
			return false, nil
		}
	}
	out, err := r.call(ctx, w, node, task, row)
	if err != nil {
		return false, err
	}
	if err := protection.Undo(openstack.WithPatience(ctx, undoPatience), out.fresh.Reading(hook), out.Call); err != nil {
		return karbor.KindOf(err) == karbor.Unauthorized, err
	}
	return false, row.Update(ctx, func(row *store.ResourceRecord) { row.NewID, row.Parts = "", nil })
}

// Kept gives the resources that stay when their restore has failed, if that was asked
// for: those that are whole. What stands on one that stays does so too, whole or not: to
// remove a server may be to remove its volumes.
func (r *Runner) Kept(ctx context.Context, op store.Operation, rows []store.ResourceRecord) (map[karbor.NodeKey]bool, error) {
	if keeps, err := r.keeps(ctx, op); err != nil || !keeps {
		return nil, err
	}
	return restoration.Kept(op.Graph, rows), nil
}

// keeps reports whether an operation is a restore of which is to stay what is whole.
func (r *Runner) keeps(ctx context.Context, op store.Operation) (bool, error) {
	if op.Type != karbor.RestoreOperation {
		return false, nil
	}
	asked, err := r.store.Restore(ctx, op.ProjectID, op.RestoreID)
	if err != nil {
		return false, fmt.Errorf("reading restore %s: %w", op.RestoreID, err)
	}
	return asked.KeepOnFailure, nil
}

// stays reports whether a resource stays though its restore has failed. It reads no more than what
// decides that: each resource of the operation asks.
func (r *Runner) stays(ctx context.Context, op store.Operation, n *karbor.Node) (bool, error) {
	if keeps, err := r.keeps(ctx, op); err != nil || !keeps {
		return false, err
	}
	rows, err := r.store.ResourcesOf(ctx, op.ID, restoration.Deciding(op.Graph, n))
	if err != nil {
		return false, fmt.Errorf("reading what keeps %s of operation %s: %w", n.Key(), op.ID, err)
	}
	return restoration.Stays(n, rows), nil
}
