package survey

import (
	"context"
	"errors"

	"github.com/karbor/karbor/internal/checkpoint"
)

// checkProofs reports evidence of drills of a checkpoint that can't be what it should be. Its signature
// is looked at by who has the key: see adoption.
func (c *checker) checkProofs(ctx context.Context, o checkpoint.Overview) error {
	found, err := c.checkpoints.Proofs(ctx, o.ProjectID, o.ID, func(u checkpoint.UnreadProof) error {
		if _, closed := errors.AsType[*checkpoint.ClosedError](u.Err); closed {
			return nil // its checkpoint is counted as closed
		}
		f := Finding{Checkpoint: o.ProjectID + "/" + o.ID, Place: u.Key, Text: u.Err.Error()}
		if u.DrillID != "" {
			f.Damage, f.Text = true, "the evidence of drill "+u.DrillID+" does not count: "+why(u.Err)
		}
		return c.found(f)
	})
	c.result.Proofs += int64(len(found))
	return err
}

// why gives what is wrong with a document, without its key.
func why(err error) string {
	if text, bad := undecoded(err); bad {
		return text
	}
	return err.Error()
}
