package checkpoint

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Discard removes the documents and the data of a checkpoint that could not be made:
// what it kept is of no use, and takes room that no quota counts. It can't become
// available afterwards; its description, state and indices stay until it is deleted. It
// may be repeated after any failure, also when the checkpoint is in error by then. One
// that is not in the bank is no error; one that was finished, or that another owner
// with a living lease is at, is karbor.Conflict. So is, wrapping ErrLocked, one of which
// the bank has locked some: all else is removed then.
func (c *Checkpoints) Discard(ctx context.Context, projectID, id string) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	if err := c.discard(bank.Urgent(ctx), projectID, id); err != nil {
		return fmt.Errorf("discarding checkpoint %s: %w", id, err)
	}
	return nil
}

func (c *Checkpoints) discard(ctx context.Context, project, id string) error {
	s, err := c.newest(ctx, project, id)
	if err != nil || s == nil {
		return err
	}
	making := s.Status == karbor.CheckpointProtecting
	if making {
		// Nothing but its failure can follow: whoever makes it must be gone.
		err = c.mayChange(ctx, s, karbor.CheckpointError, nil)
	} else {
		var begun bool
		if begun, err = c.purgeBegun(ctx, project, id); err == nil && (!begun || s.Status != karbor.CheckpointError) {
			err = karbor.Errorf(karbor.Conflict, "checkpoint %s is %s", id, s.Status)
		}
	}
	if err != nil {
		return err
	}
	if err := c.BeginPurge(ctx, project, id); err != nil {
		return err
	}
	if making {
		if err := c.takeFromMaker(ctx, s); err != nil {
			return err
		}
	}
	if left, err := c.clearUnlocked(ctx, nodesPrefix(project, id)); err != nil || !left {
		return err
	}
	return karbor.Errorf(karbor.Conflict, "%w, some of what was kept: it goes when the checkpoint is deleted", ErrLocked)
}

// takeFromMaker publishes that a checkpoint which is being made is the owner's, also where
// it was before. Whoever makes it, and is not gone after all, may have looked for the purge
// before it was begun and be about to publish it as available: only one of the two gets
// the next number, and nothing is removed if it is the other.
func (c *Checkpoints) takeFromMaker(ctx context.Context, s *state) error {
	if err := c.claim(ctx, s.ProjectID, s.CheckpointID); err != nil {
		return err
	}
	after, err := c.successor(ctx, s, karbor.CheckpointProtecting, Change{})
	if err != nil {
		return err
	}
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return c.publish(ctx, after)
}
