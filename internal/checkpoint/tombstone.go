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

// sweep removes what a tombstone does not need, and the owner's claim last. What the bank has
// locked stays: on a bank that locks all that is written, the state deleting is, and evidence of a
// drill that came when the deletion had been accepted. As long as anything stays, so does a state
// before the tombstone, which shows it to SweepTombstones.
func (c *Checkpoints) sweep(ctx context.Context, tomb *state, owner string) error {
	left, err := c.clearUnlocked(ctx, checkpointPrefix(tomb.ProjectID, tomb.CheckpointID))
	if err != nil {
		return err
	}
	numbers, err := c.sequences(ctx, statesPrefix(tomb.ProjectID, tomb.CheckpointID))
	if err != nil {
		return err
	}
	for i, n := range numbers {
		last := i+1 == len(numbers) || numbers[i+1] >= tomb.Sequence
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

// locked reports whether an object that lies in the bank is locked at a time.
func (c *Checkpoints) locked(ctx context.Context, key string, now time.Time) (bool, error) {
	if !c.bank.Traits().ObjectLock {
		return false, nil
	}
	i, err := c.bank.Stat(ctx, key)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return false, nil
	}
	return now.Before(i.LockedUntil), err
}

// SweepTombstones removes what deletions had to leave as the bank had locked it, as soon as that is
// over, and the tombstones that are older than keep by the bank's clock, and gives the number of
// these. A tombstone that is locked waits.
func (c *Checkpoints) SweepTombstones(ctx context.Context, keep time.Duration) (int, error) {
	now, err := c.bank.Now(ctx)
	if err != nil {
		return 0, err
	}
	expired := 0
	err = c.eachStates(ctx, func(project, id string, numbers []int) error {
		if numbers[0] == 1 { // a swept tombstone has lost its first state
			return nil
		}
		gone, err := c.sweepAgain(ctx, project, id, numbers, now, keep)
		if gone {
			expired++
		}
		return err
	})
	if err != nil {
		return expired, fmt.Errorf("sweeping tombstones: %w", err)
	}
	return expired, nil
}

// sweepAgain removes what is left beside the tombstone of a checkpoint with these states, and the
// tombstone itself if it is older than keep; it reports whether that has gone.
func (c *Checkpoints) sweepAgain(ctx context.Context, project, id string, numbers []int, now time.Time, keep time.Duration) (gone bool, err error) {
	unswept := len(numbers) > 1
	if unswept { // what is left is hardly locked for longer than this, and as long nothing need be tried
		if locked, err := c.locked(ctx, stateKey(project, id, numbers[len(numbers)-2]), now); err != nil || locked {
			return false, err
		}
	}
	s, err := c.newestOf(ctx, project, id, numbers)
	if err != nil || s == nil || s.Status != karbor.CheckpointDeleted {
		return false, err
	}
	over := now.Sub(s.UpdatedAt) >= keep
	if !unswept && !over {
		return false, nil
	}
	if err := c.sweep(ctx, s, c.options.Owner); err != nil || !over {
		return false, err
	}
	if numbers, err = c.sequences(ctx, statesPrefix(project, id)); err != nil || len(numbers) != 1 {
		return false, err
	}
	locked, err := c.removeUnlocked(ctx, stateKey(project, id, numbers[0]))
	return err == nil && !locked, err
}
