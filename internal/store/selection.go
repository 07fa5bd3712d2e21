package store

import (
	"context"

	"github.com/karbor/karbor"
)

// Verifiable says of which checkpoints ToVerify chooses.
type Verifiable struct {
	ProjectID, ProviderID string
	// PlanID is the plan that they are of; "" for any.
	PlanID string
	karbor.Selection
	// Most bounds how many are chosen.
	Most int
}

// available are, in a query of the checkpoints c, those of a Verifiable.
const available = ` FROM checkpoints c LEFT JOIN keepings k ON k.checkpoint_id = c.id AND k.provider_id = c.provider_id
	WHERE c.project_id = ? AND c.provider_id = ? AND (c.plan_id = ? OR ? = '') AND c.status = ? AND c.deleted = 0`

// ToVerify chooses checkpoints to verify, in the order in which that is done. Only available
// ones count, copies too.
func (s *Store) ToVerify(ctx context.Context, v Verifiable) ([]string, error) {
	args := []any{v.ProjectID, v.ProviderID, v.PlanID, v.PlanID, string(karbor.CheckpointAvailable)}
	n := max(v.Checkpoints, 1)
	if v.Share > 0 {
		total, err := one(ctx, s.reader, scanInt, "SELECT COUNT(*)"+available, args...)
		if err != nil {
			return nil, failed("counting the checkpoints to verify", err)
		}
		n = (int(total)*min(v.Share, 100) + 99) / 100
	}
	// When a verification was begun counts, too: one that never comes to its end does not
	// keep the others waiting.
	query := `SELECT m.id FROM (SELECT c.id AS id, c.created_at AS created_at, COALESCE(k.verified_at, 0) AS verified_at,
		COALESCE((SELECT MAX(t.created_at) FROM verifications t WHERE t.checkpoint_id = c.id AND t.provider_id = c.provider_id), 0) AS tried_at` +
		available + `) m ORDER BY CASE WHEN m.tried_at > m.verified_at THEN m.tried_at ELSE m.verified_at END, m.created_at DESC, m.id LIMIT ?`
	if v.Order == karbor.NewestFirst {
		query = "SELECT c.id" + available + " ORDER BY c.created_at DESC, c.id LIMIT ?"
	}
	found, err := all(ctx, s.reader, scanText, query, append(args, min(n, v.Most))...)
	return found, failed("choosing the checkpoints to verify", err)
}
