package checkpoint

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
)

// Zombies gives the checkpoints that are protecting or deleting and whose
// owner's lease has gone. Whoever takes one over sets it to the same state
// first, or creates it again, and then finishes or fails it. It also removes
// what dead owners left that is of no use. It costs one listing of the leases and
// claims, and a few calls for each claim of a dead owner. One that can't be read is
// told to unread, if that is not nil, and passed over.
func (c *Checkpoints) Zombies(ctx context.Context, unread Unread) ([]karbor.Checkpoint, error) {
	var out []karbor.Checkpoint
	dead := map[string]bool{}
	err := eachKey(ctx, c.bank, leasesRoot, func(key string) error {
		owner, project, id, ok := parseClaim(key)
		if !ok {
			return nil
		}
		if _, known := dead[owner]; !known {
			alive, err := c.alive(ctx, owner)
			if err != nil {
				return err
			}
			dead[owner] = !alive
		}
		if !dead[owner] {
			return nil
		}
		cp, err := c.zombie(ctx, owner, project, id)
		switch {
		case err != nil:
			return skip(cp, err, unread)
		case cp.ID != "":
			out = append(out, cp)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for zombies: %w", err)
	}
	return out, nil
}

// zombie gives the checkpoint that a dead owner was at, or the zero one if it had
// finished, or somebody else has taken over.
func (c *Checkpoints) zombie(ctx context.Context, owner, project, id string) (karbor.Checkpoint, error) {
	none := karbor.Checkpoint{}
	s, err := c.newest(ctx, project, id)
	if err != nil {
		return none, err
	}
	switch {
	case s == nil:
		// It died before the first state: there is at most a description.
		d, err := c.readDescription(ctx, project, id)
		if karbor.KindOf(err) == karbor.NotFound {
			return none, c.bank.Delete(ctx, claimKey(owner, project, id))
		}
		if err != nil {
			return karbor.Checkpoint{ID: id, ProjectID: project, Status: karbor.CheckpointProtecting}, err
		}
		return d.checkpoint(), nil
	case s.Status == karbor.CheckpointDeleted:
		return none, c.sweep(ctx, s, owner)
	case working(s.Status) && s.Owner == owner:
		return c.load(ctx, s)
	}
	return none, c.bank.Delete(ctx, claimKey(owner, project, id))
}
