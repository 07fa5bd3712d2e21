package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// BeginPurge notes that from now on something of a checkpoint may have been removed:
// it can't become available again. A repeat is no error. Purge does it by itself;
// who removes anything before it, does it first.
func (c *Checkpoints) BeginPurge(ctx context.Context, projectID, id string) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	return createEmpty(bank.Urgent(ctx), c.bank, purgingKey(projectID, id))
}

// purgeBegun reports whether BeginPurge was called.
func (c *Checkpoints) purgeBegun(ctx context.Context, project, id string) (bool, error) {
	_, err := c.bank.Stat(ctx, purgingKey(project, id))
	if karbor.KindOf(err) == karbor.NotFound {
		return false, nil
	}
	return err == nil, err
}

// MayRemove reports, as karbor.Conflict with the date, that the bank does not let a
// checkpoint go yet: its objects are locked. Whoever deletes one asks before anything of it
// is removed: what is not locked, or not any more, would be gone, and the rest of no use. A
// bank without object lock is not asked anything.
func (c *Checkpoints) MayRemove(ctx context.Context, projectID, id string) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if !c.bank.Traits().ObjectLock {
		return nil
	}
	locked, err := c.lockedUntil(ctx, projectID, id)
	if err != nil {
		return fmt.Errorf("asking whether checkpoint %s is locked: %w", id, err)
	}
	if locked.IsZero() {
		return nil
	}
	now, err := c.bank.Now(ctx)
	if err != nil {
		return fmt.Errorf("asking how long checkpoint %s is locked: %w", id, err)
	}
	if locked.After(now) {
		return karbor.Errorf(karbor.Conflict, "the bank has locked checkpoint %s until %s; it can be deleted then",
			id, locked.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return nil
}

// lockedUntil is until when the bank keeps a checkpoint: the description is the first of
// what is written of it, and of what is locked later, and the figures are the last that is
// written, apart from states and the evidence of drills.
func (c *Checkpoints) lockedUntil(ctx context.Context, project, id string) (time.Time, error) {
	s, err := c.newest(ctx, project, id)
	if err != nil || s == nil || s.Status == karbor.CheckpointDeleted {
		return time.Time{}, err
	}
	keys := []string{descriptionKey(project, id)}
	if s.Figures != "" {
		keys = append(keys, figuresKey(project, id, s.Figures))
	}
	// What comes later than a deletion is begun keeps nobody from another try: see sweep.
	if s.Status != karbor.CheckpointDeleting && s.Status != karbor.CheckpointErrorDeleting {
		keys = append(keys, stateKey(project, id, s.Sequence))
		// The evidence of drills comes when they end: where all that is written is locked for a while, last.
		if err := eachKey(ctx, c.bank, proofsPrefix(project, id), func(key string) error {
			keys = append(keys, key)
			return nil
		}); err != nil {
			return time.Time{}, err
		}
	}
	var locked time.Time
	for _, key := range keys {
		i, err := c.bank.Stat(ctx, key)
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return time.Time{}, err
		}
		if err != nil {
			continue
		}
		later, err := bank.LockedUntil(ctx, c.bank, key)
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return time.Time{}, err
		}
		for _, until := range []time.Time{i.LockedUntil, later} {
			if until.After(locked) {
				locked = until
			}
		}
	}
	return locked, nil
}

// Purge removes a checkpoint that is deleting: what its plug-ins left of the
// nodes' documents and data, the indices, then it puts a tombstone in the place
// of the state, then it removes the rest. What the bank has locked of that rest stays until
// SweepTombstones removes it. It may be repeated after any failure.
// A checkpoint that is gone already is no error; one in another state, or that
// another owner with a living lease deletes, is karbor.Conflict.
func (c *Checkpoints) Purge(ctx context.Context, projectID, id string) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	if err := c.purge(bank.Urgent(ctx), projectID, id); err != nil {
		return fmt.Errorf("purging checkpoint %s: %w", id, err)
	}
	return nil
}

func (c *Checkpoints) purge(ctx context.Context, project, id string) error {
	s, err := c.newest(ctx, project, id)
	if err != nil {
		return err
	}
	if s == nil {
		// There may be a description of one that died before its first state.
		if err := c.unindex(ctx, project, id); err != nil {
			return err
		}
		if err := c.clear(ctx, checkpointPrefix(project, id)); err != nil {
			return err
		}
		return c.unclaim(ctx, project, id)
	}
	switch s.Status {
	case karbor.CheckpointDeleted:
		return c.sweep(ctx, s, c.options.Owner)
	case karbor.CheckpointDeleting:
	default:
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is %s, not deleting", id, s.Status)
	}
	if err := c.mayDelete(ctx, s); err != nil {
		return err
	}
	if s.Owner != c.options.Owner {
		if err := c.change(ctx, s, karbor.CheckpointDeleting, Change{}); err != nil {
			return err
		}
		s.Sequence++
	}
	if err := c.BeginPurge(ctx, project, id); err != nil {
		return err
	}
	if err := c.clear(ctx, nodesPrefix(project, id)); err != nil {
		return err
	}
	for _, key := range indexKeys(s) {
		if err := c.bank.Delete(ctx, key); err != nil {
			return err
		}
	}
	tomb, err := c.successor(ctx, s, karbor.CheckpointDeleted, Change{})
	if err != nil {
		return err
	}
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := c.publish(ctx, tomb); err != nil {
		return err
	}
	return c.sweep(ctx, tomb, c.options.Owner)
}

// unindex removes the index entries of a checkpoint that has no state: its description
// tells which. One that has none was never indexed.
func (c *Checkpoints) unindex(ctx context.Context, project, id string) error {
	d, err := c.readDescription(ctx, project, id)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range indexKeys(d.state("", d.CreatedAt)) {
		if err := c.bank.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// clear removes every object under a prefix that ends in a slash.
func (c *Checkpoints) clear(ctx context.Context, prefix string) error {
	section, err := bank.NewSection(c.bank, prefix[:len(prefix)-1])
	if err != nil {
		return err
	}
	return section.Clear(ctx)
}
