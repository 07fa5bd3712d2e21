package schedules

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Distrust takes away what users have lent to the scheduled operations of a "trigger" or
// of a "plan", whose row the transaction holds, that another user has changed: nobody has
// others' rights do what those have not asked for. What works on checkpoints that are there
// does the same whatever becomes of their plan. Runs that are about to begin lose their
// claims.
func Distrust(ctx context.Context, t *rows.Tx, what, id, by string, now time.Time) error {
	unaffected := []any{"", "", ""}
	if what == "plan" {
		unaffected = []any{string(karbor.ScheduledVerify), string(karbor.ScheduledCopy), string(karbor.ScheduledDrill)}
	}
	found, err := rows.All(ctx, t, rows.Text, "SELECT id FROM scheduled_operations WHERE "+what+
		"_id = ? AND user_id <> ? AND deleted = 0 AND operation_type NOT IN (?, ?, ?) ORDER BY id"+rows.ForUpdate,
		append([]any{id, by}, unaffected...)...)
	if err != nil {
		return err
	}
	for _, o := range found {
		if err := giveBack(ctx, t, o, rows.Micros(now)); err != nil {
			return err
		}
		err := t.Exec(ctx, `UPDATE schedules SET delegation = NULL, delegation_state = ?, delegation_reason = ?, delegation_end = NULL,
			probe_at = NULL WHERE scheduled_operation_id = ? AND delegation IS NOT NULL`, string(karbor.DelegationBroken),
			"its "+what+" was changed by another user; update the scheduled operation, so that it may go on", o)
		if err != nil {
			return err
		}
		err = t.Exec(ctx, `UPDATE scheduled_runs SET owner = '', claim = claim + 1, leased_until = 0
			WHERE scheduled_operation_id = ? AND state = ? AND owner <> ''`, o, string(karbor.RunQueued))
		if err != nil {
			return err
		}
	}
	return nil
}
