package copies

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

const (
	// copyAttempts is how often one copy fails in a way that may pass before it is given up,
	// and with it the others of its lane: for about a quarter of an hour.
	copyAttempts = 20
	// failTimeout bounds what is done in a bank that may hang for a copy that failed.
	failTimeout = 5 * time.Minute
	// copyPace is how often it is kept how far a copy is.
	copyPace = 2 * time.Second
	// arrivedLasts is how long a pack that was hashed at a target need not be hashed again
	// for the next copy there.
	arrivedLasts = 7 * 24 * time.Hour
	// maxArrived bounds what is remembered of such packs, in packs; each takes about 100 bytes.
	maxArrived = 100_000
)

// lane is the copying of one request to one target.
type lane struct {
	*Copier
	op       store.Operation
	from, to *provider.Provider
	task     *workflow.Task
	known    *verification.State
}

// Lane copies what a request of a provider copies to the target that the task names. One copy that fails does not keep the
// others from being made.
func (c *Copier) Lane(ctx context.Context, op store.Operation, from *provider.Provider, task *workflow.Task) error {
	to, err := from.At(task.Input)
	if err != nil {
		return nil //nolint:nilerr // the end says of its copies that the target is gone
	}
	// A lane that was taken for dead, and comes back, ends nothing that another goes on with.
	if ctx, err = c.store.Claim(ctx, op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	items, err := c.store.Copied(ctx, op.ID)
	if err != nil {
		return err
	}
	l := lane{Copier: c, op: op, from: from, to: to, task: task, known: c.arrivedAt(to)}
	dead := ""
	for _, item := range items {
		if item.Bank != to.Target || !item.EndedAt.IsZero() {
			continue
		}
		if dead != "" {
			if err := l.end(ctx, item, store.CopiedOutcome{Reason: dead}); err != nil {
				return err
			}
			continue
		}
		err := l.copy(ctx, item)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		if lost := c.store.Claimed(ctx); lost != nil {
			return lost
		}
		reason := copyReason(err)
		switch {
		case errors.Is(err, deadline.ErrStalled): // a bank that hangs for one hangs for the others
			dead = reason
		case karbor.IsTransient(err):
			if item.Attempts+1 < copyAttempts {
				return errors.Join(err, c.store.FailCopied(ctx, op.ID, item.Position, reason))
			}
			dead = reason
		}
		c.log.ErrorContext(ctx, "a checkpoint could not be copied", "operation", op.ID, "provider", to.Place(),
			"checkpoint", item.CheckpointID, "copy", item.CopyID, "error", err)
		if err := l.fail(ctx, item, reason); err != nil {
			return err
		}
	}
	l.prune(ctx)
	return nil
}

// arrivedAt gives what is known of the packs at a target.
func (c *Copier) arrivedAt(to *provider.Provider) *verification.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.arrived[to]
	if state == nil || state.Len() > maxArrived {
		state = verification.NewState()
		c.arrived[to] = state
	}
	return state
}

// copy makes one copy, to its end. One that gets no further is ended, as a hook is.
func (l lane) copy(ctx context.Context, item store.Copied) error {
	if err := errors.Join(l.banks.Usable(l.to), l.banks.Readable(l.from)); err != nil {
		return err
	}
	leave, err := l.transfers.Enter(ctx, l.op.ProjectID, transfer.Stream{Operation: l.op.ID, Provider: l.op.ProviderID})
	if err != nil {
		return err
	}
	defer leave()
	if err := l.store.BeginCopied(ctx, l.op.ID, item.Position); err != nil {
		return err
	}
	watch := l.guard.Watch(deadline.Subject{Operation: l.op.ID, Phase: flow.Copy, Named: "the copy", Of: item.CopyID})
	return watch.Run(ctx, func(ctx context.Context, _ *protection.Call) error { return l.bring(ctx, item, watch.Moved) }, &protection.Call{})
}

// bring brings one checkpoint to the target; moved hears that it gets further.
func (l lane) bring(ctx context.Context, item store.Copied, moved func()) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	paced, slow := &pacedCopy{lane: l, item: item, lost: end}, l.transfers.Pace(l.op.ProjectID)
	copier := &replication.Copier{
		From:       replication.Side{Checkpoints: l.from.Checkpoints(), Domains: l.from.Domains(), Lags: l.from.Lags()},
		To:         replication.Side{Checkpoints: l.to.Checkpoints(), Domains: l.to.Domains()},
		ProviderID: l.op.ProviderID,
		Counted:    true, // what is bound to another service is not accepted
		Progress: func(done, total int64) {
			moved()
			paced.tell(ctx, done, total)
		},
		Travelled: func(bytes int64) { slow(ctx, bytes) },
		As:        func(original karbor.Checkpoint) karbor.Checkpoint { return of(original, item.CopyID) },
		Arrival:   &replication.Arrival{State: l.known, Since: l.now().Add(-arrivedLasts), Moved: moved},
	}
	result, err := copier.Copy(ctx, l.op.ProjectID, item.CheckpointID)
	if result.Bytes > 0 {
		err = errors.Join(err, l.store.MoveCopied(ctx, l.op.ID, item.Position, paced.done, max(paced.total, result.Size), result.Bytes))
	}
	if err != nil {
		return err
	}
	if result.Unlisted != "" {
		l.log.WarnContext(ctx, "a checkpoint that has lost its list of contents was copied; what it had lost before is not missed", "operation", l.op.ID,
			"provider", l.to.Place(), "checkpoint", item.CheckpointID, "copy", item.CopyID, "reason", result.Unlisted)
	}
	there, err := l.to.Checkpoints().Get(ctx, l.op.ProjectID, item.CopyID)
	if err != nil {
		return err
	}
	l.clearFailed(ctx, item)
	return l.end(ctx, item, store.CopiedOutcome{Size: there.Size, Figures: there.Figures})
}

// end keeps how one copy ended.
func (l lane) end(ctx context.Context, item store.Copied, o store.CopiedOutcome) error {
	if err := l.store.EndCopied(ctx, l.op, item.Position, o); err != nil {
		return err
	}
	l.log.InfoContext(ctx, "copy ended", "operation", l.op.ID, "provider", l.to.Place(), "project", l.op.ProjectID,
		"checkpoint", item.CheckpointID, "copy", item.CopyID, "reason", o.Reason)
	return nil
}

// fail removes a half copy from the target, and keeps why it failed. A bank that does not let it
// go keeps the rest until the copy is deleted, as with a checkpoint that could not be made. A copy
// that was whole before somebody could say so stays, and has not failed.
func (l lane) fail(ctx context.Context, item store.Copied, reason string) error {
	if err := l.store.Claimed(ctx); err != nil {
		return err // another makes it
	}
	limited, cancel := context.WithTimeout(ctx, failTimeout)
	defer cancel()
	there := l.to.Checkpoints()
	made, err := there.Get(limited, l.op.ProjectID, item.CopyID)
	if err == nil && made.Status == karbor.CheckpointAvailable {
		return l.end(ctx, item, store.CopiedOutcome{Size: made.Size, Figures: made.Figures})
	}
	err = there.Discard(limited, l.op.ProjectID, item.CopyID)
	if err == nil || errors.Is(err, checkpoint.ErrLocked) {
		err = there.SetState(limited, l.op.ProjectID, item.CopyID, karbor.CheckpointError, checkpoint.Change{Reasons: map[string]string{"": reason}})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		l.log.ErrorContext(ctx, "what is there of a copy that failed stays in its bank until it is deleted", "operation", l.op.ID,
			"provider", l.to.Place(), "copy", item.CopyID, "error", err)
	}
	return l.end(ctx, item, store.CopiedOutcome{Reason: reason})
}

// clearFailed removes earlier copies of the same checkpoint that failed: this one stands for them.
func (l lane) clearFailed(ctx context.Context, item store.Copied) {
	copies, err := l.store.CopiesOf(ctx, l.op.ProjectID, l.op.ProviderID, item.CheckpointID)
	for _, old := range copies {
		if old.Bank == l.to.Target && old.Status == karbor.CheckpointError && old.ID != item.CopyID {
			err = errors.Join(err, l.clear(ctx, old))
		}
	}
	if err != nil && ctx.Err() == nil {
		l.log.WarnContext(ctx, "an earlier copy that failed is not removed", "operation", l.op.ID, "provider", l.to.Place(), "error", err)
	}
}

// clear removes a copy that failed, unless it is held, locked or in use, or its bank knows better
// than the catalogue that it is whole.
func (l lane) clear(ctx context.Context, old karbor.Checkpoint) error {
	keepings, err := l.store.Keepings(ctx, old.ProviderID, []string{old.ID})
	if err != nil || keepings[old.ID].Hold.On(l.now()) {
		return err
	}
	if err := errors.Join(l.store.CheckpointIdle(ctx, old.ProviderID, old.ID), l.store.Claimed(ctx)); err != nil {
		return err
	}
	there := l.to.Checkpoints()
	if err := there.MayRemove(ctx, old.ProjectID, old.ID); err != nil {
		return err
	}
	err = there.SetState(ctx, old.ProjectID, old.ID, karbor.CheckpointDeleting, checkpoint.Change{
		From: []karbor.CheckpointStatus{karbor.CheckpointError, karbor.CheckpointProtecting},
	})
	if err == nil {
		err = there.Purge(ctx, old.ProjectID, old.ID)
	}
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	old.Status = karbor.CheckpointDeleted
	return l.store.PutCheckpoint(ctx, old)
}

// pacedCopy keeps, now and then, how far a copy is, and ends one that another lane makes.
type pacedCopy struct {
	lane
	item store.Copied
	lost func(cause error)

	mu          sync.Mutex
	done, total int64
	kept        time.Time
}

func (p *pacedCopy) tell(ctx context.Context, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = max(done, p.done), total
	p.task.Progress(p.done, total)
	if now := p.now(); now.Sub(p.kept) >= copyPace {
		p.kept = now
		err := p.store.MoveCopied(ctx, p.op.ID, p.item.Position, p.done, total, 0)
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "how far a copy is can't be kept", "operation", p.op.ID, "error", err)
		}
		if err != nil && karbor.KindOf(err) == karbor.Conflict {
			p.lost(err)
		}
	}
}

// copyReason says, for the tenant, why a copy failed. Of damage it tells which object is
// damaged: the names of objects say nothing of what is in them.
func copyReason(err error) string {
	if IsDamage(err) {
		return "what is to be copied is damaged in its bank: " + err.Error()
	}
	return karbor.Sentence(err)
}
