package schedules

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Verifiable says of which checkpoints ToVerify chooses.
type Verifiable struct {
	ProjectID, ProviderID string
	// PlanID is the plan that they are of; "" for any.
	PlanID string
	karbor.Selection
	// Done is how many the share of the day was given already, and Runs over how many runs what
	// is left of it is spread, the one that asks among them; at least 1.
	Done, Runs int
	// ScheduledOperationID and Since say whose work of the day is no part of what is left of its
	// share: what that scheduled operation has begun since then.
	ScheduledOperationID string
	Since                time.Time
	// Most bounds how many are chosen.
	Most int
}

// Scheduled counts the operations that a scheduled operation of a project has begun since a
// time.
func (s *Store) Scheduled(ctx context.Context, projectID, scheduledOperationID string, since time.Time) (int, error) {
	n, err := rows.One(ctx, s.db, rows.Int, `SELECT COUNT(*) FROM operation_logs
		WHERE project_id = ? AND deleted = 0 AND created_at >= ? AND scheduled_operation_id = ?`, projectID, rows.Micros(since), scheduledOperationID)
	return int(n), rows.Failed("counting what a scheduled operation has begun", err)
}

// availableFrom and availableWhere are, in a query of the checkpoints c, those of a Verifiable;
// available is both. What else is joined stands between them.
const (
	availableFrom  = ` FROM checkpoints c LEFT JOIN keepings k ON k.checkpoint_id = c.id AND k.provider_id = c.provider_id`
	availableWhere = `c.project_id = ? AND c.provider_id = ? AND (c.plan_id = ? OR ? = '') AND c.status = ? AND c.deleted = 0`
	available      = availableFrom + " WHERE " + availableWhere
)

// ToVerify chooses checkpoints to verify, in the order in which that is done. Only available
// ones count, copies too.
func (s *Store) ToVerify(ctx context.Context, v Verifiable) ([]string, error) {
	if v.Order == karbor.NewestFirst {
		return s.chooseNewest(ctx, v, "verifications")
	}
	// When a verification was begun counts, too: one that never comes to its end does not
	// keep the others waiting.
	return s.choose(ctx, v, `SELECT m.id FROM (SELECT c.id AS id, c.created_at AS created_at, COALESCE(k.verified_at, 0) AS verified_at,
		COALESCE((SELECT MAX(t.created_at) FROM verifications t WHERE t.checkpoint_id = c.id AND t.provider_id = c.provider_id), 0) AS tried_at`+
		available+`) m ORDER BY CASE WHEN m.tried_at > m.verified_at THEN m.tried_at ELSE m.verified_at END, m.created_at DESC, m.id LIMIT ?`)
}

// leftOut are, in a query, the checkpoints whose operation of a type runs of a project did not begin,
// with when they last should have.
const leftOut = `(SELECT o.checkpoint_id AS checkpoint_id, MAX(r.expected_at) AS tried_at FROM scheduled_operations s
	JOIN scheduled_runs r ON r.scheduled_operation_id = s.id JOIN scheduled_run_operations o ON o.run_id = r.id
	WHERE s.project_id = ? AND s.operation_type = ? AND o.operation_id = '' AND o.state IN (?, ?) GROUP BY o.checkpoint_id)`

// ToDrill is ToVerify of drills. A share of the day takes by default what was not drilled for the
// longest time, so that the days go through all; else the newest is the default. One whose drill
// a run was refused counts as drilled then: it does not keep the others waiting.
func (s *Store) ToDrill(ctx context.Context, v Verifiable) ([]string, error) {
	if v.Order == karbor.NewestFirst || v.Order == "" && v.Share == 0 {
		return s.chooseNewest(ctx, v, "drills")
	}
	return s.choose(ctx, v, `SELECT m.id FROM (SELECT c.id AS id, c.created_at AS created_at, COALESCE(d.drilled_at, 0) AS drilled_at,
		COALESCE(l.tried_at, 0) AS tried_at`+
		availableFrom+` LEFT JOIN (SELECT checkpoint_id, provider_id, MAX(created_at) AS drilled_at FROM drills
		GROUP BY checkpoint_id, provider_id) d ON d.checkpoint_id = c.id AND d.provider_id = c.provider_id LEFT JOIN `+leftOut+
		` l ON l.checkpoint_id = c.id WHERE `+availableWhere+
		`) m ORDER BY CASE WHEN m.tried_at > m.drilled_at THEN m.tried_at ELSE m.drilled_at END, m.created_at DESC, m.id LIMIT ?`,
		v.ProjectID, string(karbor.ScheduledDrill), string(karbor.RunSkipped), string(karbor.RunError))
}

// chooseNewest chooses the newest. Of a share of the day those are left out that were worked on in it,
// which a table has.
func (s *Store) chooseNewest(ctx context.Context, v Verifiable, table string) ([]string, error) {
	const order = " ORDER BY c.created_at DESC, c.id LIMIT ?"
	if v.Share == 0 {
		return s.choose(ctx, v, "SELECT c.id"+available+order)
	}
	return s.choose(ctx, v, "SELECT c.id"+availableFrom+` LEFT JOIN (SELECT t.checkpoint_id AS checkpoint_id, t.provider_id AS provider_id
		FROM operation_logs o JOIN `+table+` t ON t.id = o.id WHERE o.project_id = ? AND o.deleted = 0 AND o.created_at >= ? AND o.scheduled_operation_id = ?) d
		ON d.checkpoint_id = c.id AND d.provider_id = c.provider_id WHERE d.checkpoint_id IS NULL AND `+availableWhere+order,
		v.ProjectID, rows.Micros(v.Since), v.ScheduledOperationID)
}

// choose runs a query whose parameters are the first ones, those of available and how many.
func (s *Store) choose(ctx context.Context, v Verifiable, query string, first ...any) ([]string, error) {
	args := []any{v.ProjectID, v.ProviderID, v.PlanID, v.PlanID, string(karbor.CheckpointAvailable)}
	n := max(v.Checkpoints, 1)
	if v.Share > 0 {
		total, err := rows.One(ctx, s.db, rows.Int, "SELECT COUNT(*)"+available, args...)
		if err != nil {
			return nil, rows.Failed("counting the checkpoints to choose from", err)
		}
		n = (int(total)*min(v.Share, 100) + 99) / 100
		runs := max(v.Runs, 1)
		if n = (max(n-v.Done, 0) + runs - 1) / runs; n == 0 {
			return nil, nil
		}
	}
	found, err := rows.All(ctx, s.db, rows.Text, query, slices.Concat(first, args, []any{min(n, v.Most)})...)
	return found, rows.Failed("choosing checkpoints", err)
}
