package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor/bank"
)

// claim notes under the owner's name that it works on the checkpoint. A state follows.
func (c *Checkpoints) claim(ctx context.Context, project, id string) error {
	return createEmpty(bank.Followed(ctx), c.bank, claimKey(c.options.Owner, project, id))
}

func (c *Checkpoints) unclaim(ctx context.Context, project, id string) error {
	return c.bank.Delete(ctx, claimKey(c.options.Owner, project, id))
}

// releaseTime bounds the removal of a claim behind a publication.
const releaseTime = 10 * time.Second

// release is unclaim behind a state that was published: that is the truth, and whoever heard of a
// failure would take it for not made. A claim that stays misleads nobody, as the state tells that
// there is nothing to do; Settle removes it.
func (c *Checkpoints) release(ctx context.Context, project, id string) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if err := c.unclaim(ctx, project, id); err != nil && c.options.Logger != nil {
		c.options.Logger.WarnContext(ctx, "a checkpoint was published, and its claim stays in the bank for now",
			"checkpoint", id, "project", project, "owner", c.options.Owner, "error", err)
	}
}

// Settle removes the owner's claim on a checkpoint that nobody works on, if one was left behind when
// its last state was published. The caller knows that no operation is at it.
func (c *Checkpoints) Settle(ctx context.Context, projectID, id string) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	s, err := c.newest(ctx, projectID, id)
	if err == nil && (s == nil || working(s.Status)) {
		return nil
	}
	if err == nil {
		err = c.unclaim(ctx, projectID, id)
	}
	if err == nil { // one that has just been begun is to have its claim
		s, err = c.newest(ctx, projectID, id)
	}
	if err == nil && s != nil && working(s.Status) && s.Owner == c.options.Owner {
		err = c.claim(ctx, projectID, id)
	}
	if err != nil {
		return fmt.Errorf("removing the claim on checkpoint %s: %w", id, err)
	}
	return nil
}
