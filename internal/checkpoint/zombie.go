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
// claims, and a few calls for each claim of a dead owner. A damaged one is told to
// damaged, if that is not nil, and passed over.
func (c *Checkpoints) Zombies(ctx context.Context, damaged func(*DamageError)) ([]karbor.Checkpoint, error) {
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
		if cp != nil {
			out = append(out, *cp)
		}
		return skip(err, damaged)
	})
	if err != nil {
		return nil, fmt.Errorf("looking for zombies: %w", err)
	}
	return out, nil
}

// zombie gives the checkpoint that a dead owner was at, or nil if it had
// finished, or somebody else has taken over.
func (c *Checkpoints) zombie(ctx context.Context, owner, project, id string) (*karbor.Checkpoint, error) {
	s, err := c.newest(ctx, project, id)
	if err != nil {
		return nil, err
	}
	switch {
	case s == nil:
		// It died before the first state: there is at most a description.
		d, err := c.readDescription(ctx, project, id)
		if karbor.KindOf(err) == karbor.NotFound {
			return nil, c.bank.Delete(ctx, claimKey(owner, project, id))
		}
		if err != nil {
			return nil, err
		}
		cp := d.checkpoint()
		return &cp, nil
	case s.Status == karbor.CheckpointDeleted:
		return nil, c.sweep(ctx, s, owner)
	case working(s.Status) && s.Owner == owner:
		cp, err := c.load(ctx, s)
		if err != nil {
			return nil, err
		}
		return &cp, nil
	}
	return nil, c.bank.Delete(ctx, claimKey(owner, project, id))
}
