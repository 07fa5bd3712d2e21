package replication

import (
	"context"

	"github.com/karbor/karbor/internal/checkpoint"
)

// proofs copies the evidence of drills, where the copy has the id of its original: else it is of another
// checkpoint.
func (p passage) proofs(ctx context.Context, r *Result) error {
	if p.from != p.to {
		return nil
	}
	all, err := p.From.Checkpoints.Proofs(ctx, p.project, p.from, func(checkpoint.UnreadProof) error {
		r.Unproven++
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := p.To.Checkpoints.PutProof(ctx, p.project, p.to, one); err != nil {
			return err
		}
	}
	return nil
}
