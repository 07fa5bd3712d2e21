package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// ErrLocked is wrapped by errors that say that the bank has locked something, and keeps it for a while.
var ErrLocked = errors.New("the bank has locked it")

// remains are what the bank has of a checkpoint: the keys under it, and then the numbers of its
// states and the newest of these, nil if there is none. Where that is a tombstone, the keys are of
// what was deleted, as none of them came behind the look at it.
type remains struct {
	keys    []string
	numbers []int
	newest  *state
}

func (c *Checkpoints) remains(ctx context.Context, project, id string) (r remains, err error) {
	err = eachKey(ctx, c.bank, checkpointPrefix(project, id), func(key string) error {
		r.keys = append(r.keys, key)
		return nil
	})
	if err != nil {
		return r, err
	}
	if r.numbers, err = c.sequences(ctx, statesPrefix(project, id)); err != nil {
		return r, err
	}
	r.newest, err = c.newestOf(ctx, project, id, r.numbers)
	return r, err
}

// under reports whether these lie under the tombstone with a number.
func (r remains) under(tomb int) bool {
	return r.newest != nil && r.newest.Status == karbor.CheckpointDeleted && r.newest.Sequence == tomb
}

// sweep removes what a tombstone does not need, and the owner's claim last; nothing if the tombstone
// is gone: the same checkpoint may have been brought back since. What the bank has
// locked stays: on a bank that locks all that is written, the state deleting is, and evidence of a
// drill that came when the deletion had been accepted. As long as anything stays, so does a state
// before the tombstone, if there still is one.
func (c *Checkpoints) sweep(ctx context.Context, tomb *state, owner string) error {
	r, err := c.remains(ctx, tomb.ProjectID, tomb.CheckpointID)
	if err != nil || !r.under(tomb.Sequence) {
		return err
	}
	return c.removeRemains(ctx, r, owner)
}

func (c *Checkpoints) removeRemains(ctx context.Context, r remains, owner string) error {
	left := false
	for _, key := range r.keys {
		locked, err := c.removeUnlocked(ctx, key)
		if err != nil {
			return err
		}
		left = left || locked
	}
	tomb := r.newest
	for i, n := range r.numbers {
		last := i+1 == len(r.numbers) || r.numbers[i+1] >= tomb.Sequence
		if n >= tomb.Sequence || left && last {
			break
		}
		if _, err := c.removeUnlocked(ctx, stateKey(tomb.ProjectID, tomb.CheckpointID, n)); err != nil {
			return err
		}
	}
	return c.bank.Delete(ctx, claimKey(owner, tomb.ProjectID, tomb.CheckpointID))
}

// clearUnlocked removes every object under a prefix but those that the bank has locked, and reports
// whether there are any.
func (c *Checkpoints) clearUnlocked(ctx context.Context, prefix string) (left bool, err error) {
	err = eachKey(ctx, c.bank, prefix, func(key string) error {
		locked, err := c.removeUnlocked(ctx, key)
		left = left || locked
		return err
	})
	return left, err
}

// removeUnlocked removes an object, and reports whether the bank has locked it.
func (c *Checkpoints) removeUnlocked(ctx context.Context, key string) (locked bool, err error) {
	err = c.bank.Delete(ctx, key)
	if err != nil && karbor.KindOf(err) == karbor.Conflict {
		return true, nil
	}
	return false, err
}

// sweepPatience is how many failures in a row that may pass say that it is the bank. Others are about
// one checkpoint, such as that somebody holds what is left of it.
const sweepPatience = 3

// mostFailures is how many failures a round tells of; of the others it gives the number.
const mostFailures = 5

// failures are what went wrong in a round.
type failures struct {
	errs          []error
	inRow, untold int
}

// add adds what came of one checkpoint, and reports whether to give up.
func (f *failures) add(id string, err error) bool {
	if err == nil {
		f.inRow = 0
		return false
	}
	if len(f.errs) < mostFailures {
		f.errs = append(f.errs, fmt.Errorf("checkpoint %s: %w", id, err))
	} else {
		f.untold++
	}
	if !karbor.IsTransient(err) {
		return false
	}
	f.inRow++
	return f.inRow >= sweepPatience
}

func (f *failures) join() error {
	if f.untold > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("and %d checkpoints more", f.untold))...)
	}
	return errors.Join(f.errs...)
}

// errGivenUp ends a listing: there were failures enough.
var errGivenUp = errors.New("given up")

// SweepTombstones removes what deletions had to leave as the bank had locked it, as soon as that is
// over, and the tombstones that are older than keep by the bank's clock, beside which nothing is
// left; it gives the number of these. A tombstone that is locked waits, and one that waits costs no
// request. One that fails holds up no other; after some failures in a row that may pass it is the
// bank, and the round ends. It needs the lease.
func (c *Checkpoints) SweepTombstones(ctx context.Context, keep time.Duration) (int, error) {
	expired, err := c.sweepTombstones(ctx, keep)
	if err != nil {
		return expired, fmt.Errorf("sweeping tombstones: %w", err)
	}
	return expired, nil
}

func (c *Checkpoints) sweepTombstones(ctx context.Context, keep time.Duration) (expired int, err error) {
	now, err := c.bank.Now(ctx)
	if err != nil {
		return 0, err
	}
	var failed failures
	err = c.eachStateInfo(ctx, statesRoot, "", func(project, id string, states []stateInfo) error {
		// A swept tombstone has lost its first state.
		if states[0].number == 1 || waits(states, now, keep) {
			return nil
		}
		gone, err := c.sweepAgain(ctx, project, id, states[len(states)-1].number, now, keep)
		if gone {
			expired++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed.add(id, err) {
			return errGivenUp
		}
		return nil
	})
	if errors.Is(err, errGivenUp) {
		err = nil
	}
	return expired, errors.Join(failed.join(), err)
}

// waits reports whether there is nothing to do yet about a tombstone, by the listing of its states.
func waits(states []stateInfo, now time.Time, keep time.Duration) bool {
	last := states[len(states)-1]
	if len(states) > 1 { // what is left is hardly locked for longer than the state before
		return now.Before(states[len(states)-2].LockedUntil)
	}
	return now.Before(last.LockedUntil) || now.Sub(last.ModTime) < keep
}

// sweepAgain removes what is left beside the tombstone with a number, or the tombstone itself if
// nothing is left and it is older than keep; it reports whether that has gone. It never does both: two
// services may sweep at once, and as long as anything is left, none of them lets the tombstone go, so
// that nobody can bring the checkpoint back under the eyes of the other.
func (c *Checkpoints) sweepAgain(ctx context.Context, project, id string, tomb int, now time.Time, keep time.Duration) (gone bool, err error) {
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return false, err
	}
	defer cancel()
	r, err := c.remains(ctx, project, id)
	switch {
	case err != nil || !r.under(tomb):
		return false, err
	case len(r.keys) > 0 || len(r.numbers) > 1:
		return false, c.removeRemains(ctx, r, c.options.Owner)
	case now.Sub(r.newest.UpdatedAt) < keep:
		return false, nil
	}
	locked, err := c.removeUnlocked(ctx, stateKey(project, id, tomb))
	return err == nil && !locked, err
}
