package custody

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/locking"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

const (
	// heldBatch is how many held checkpoints are read at a time.
	heldBatch = 100
	// lockRest is how long one is left alone that could not be locked; it doubles, up to
	// longestRest, while what is wrong with it does not pass by itself.
	lockRest    = 10 * time.Minute
	longestRest = 24 * time.Hour
)

// lockTry is what is remembered of a checkpoint that could not be locked.
type lockTry struct {
	// failed counts the tries in a row that found it damaged, or unfit in another lasting way.
	failed int
	// documents is how many of its documents are locked, all of them, and until when.
	documents int
	until     time.Time
}

// rest is how long it is left alone now. It is short enough for its documents to be locked anew in
// time.
func (t *lockTry) rest(ahead time.Duration) time.Duration {
	return max(lockRest, min(lockRest<<min(max(t.failed-1, 0), 10), longestRest, ahead/4))
}

// due reports whether a lock is to be lengthened to a time: not one that was just lengthened, or
// that lasts as long as the hold.
func due(locked, until, now time.Time, ahead time.Duration) bool {
	return locked.Before(until) && !locked.After(now.Add(ahead/2))
}

// lockHeld has a bank that can do so lock what held checkpoints need, until ctx ends. Each lock
// ends with its hold, but is no longer than what the bank locks at a time; it is lengthened when
// half of that is over. A hold that is released is not: nobody can shorten a lock.
func (k *Keeper) lockHeld(ctx context.Context, p *provider.Provider) {
	tries := map[string]*lockTry{}
	for {
		if ahead := p.Bank().Traits().LockAhead; ahead > 0 {
			if err := k.lockDue(ctx, p, ahead, tries); err != nil && ctx.Err() == nil {
				k.log.ErrorContext(ctx, "locking what is held failed; it is tried again", "provider", p.Place(), "error", err)
			}
		}
		if !sleep(ctx, k.upkeep.Interval) {
			return
		}
	}
}

// lockDue locks the held checkpoints of which the lock is due. tries are those that could not be
// locked, by their ids.
func (k *Keeper) lockDue(ctx context.Context, p *provider.Provider, ahead time.Duration, tries map[string]*lockTry) error {
	for behind := ""; ; {
		held, err := k.store.HeldCheckpoints(ctx, p.ID, p.Target, k.now(), behind, heldBatch)
		if err != nil {
			return err
		}
		for _, h := range held {
			behind = h.CheckpointID
			t := tries[h.CheckpointID]
			if t == nil {
				t = &lockTry{}
			}
			failed, err := k.lock(ctx, p, h, ahead, t)
			if err != nil {
				return err
			}
			if delete(tries, h.CheckpointID); failed {
				tries[h.CheckpointID] = t
			}
		}
		if len(held) < heldBatch {
			return nil
		}
	}
}

// lock locks what one checkpoint needs, if that is due. What keeps it from being locked is
// noted, and told by failed; the error is of the database, or ctx's.
func (k *Keeper) lock(ctx context.Context, p *provider.Provider, h store.HeldCheckpoint, ahead time.Duration, t *lockTry) (failed bool, err error) {
	local := k.now()
	if h.Lock.Reason != "" && local.Sub(h.Lock.TriedAt) < t.rest(ahead) {
		return true, nil
	}
	now, err := p.Bank().Now(ctx)
	if err != nil {
		return h.Lock.Reason != "", err
	}
	until := now.Add(ahead)
	if !h.Until.IsZero() && h.Until.Before(until) {
		until = h.Until
	}
	if !due(h.Lock.Until, until, now, ahead) {
		return false, nil
	}
	note := store.BankLock{Until: h.Lock.Until, Objects: h.Lock.Objects, TriedAt: local}
	n, err := k.lockAll(ctx, p, h, until, t, due(t.until, until, now, ahead))
	switch {
	case ctx.Err() != nil:
		return true, ctx.Err()
	case err != nil:
		if t.failed++; karbor.IsTransient(err) {
			t.failed = 0
		}
		note.Reason = karbor.Sentence(err)
		k.log.WarnContext(ctx, "what a held checkpoint needs can't be locked in the bank; it is tried again", "provider", p.Place(),
			"project", h.ProjectID, "checkpoint", h.CheckpointID, "after", t.rest(ahead), "error", err)
	default:
		note.Until, note.Objects = until, n
		if t.until.Before(until) {
			note.Until = t.until
		}
		k.log.InfoContext(ctx, "what a held checkpoint needs is locked in the bank", "provider", p.Place(),
			"project", h.ProjectID, "checkpoint", h.CheckpointID, "until", note.Until, "objects", n)
	}
	return err != nil, k.store.NoteLock(ctx, h.ProjectID, p.ID, h.CheckpointID, note)
}

// lockAll locks the documents of a checkpoint, unless they still are for long enough, and its data.
func (k *Keeper) lockAll(ctx context.Context, p *provider.Provider, h store.HeldCheckpoint, until time.Time, t *lockTry, documents bool) (int, error) {
	if documents {
		n, err := p.Checkpoints().Lock(ctx, h.ProjectID, h.CheckpointID, until)
		if err != nil {
			return n, err
		}
		t.documents, t.until = n, until
	}
	n, err := locking.Data(ctx, locking.Place{Checkpoints: p.Checkpoints(), Domains: p.Domains()}, h.ProjectID, h.CheckpointID, until)
	return t.documents + n, err
}
