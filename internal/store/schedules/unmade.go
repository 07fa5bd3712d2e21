package schedules

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// UnmadeRun is a run of a scheduled operation that did not do what it should have done.
type UnmadeRun struct {
	karbor.ScheduledRun
	// Name and Type are those of the scheduled operation, PlanID is its plan.
	Name, PlanID string
	Type         karbor.ScheduledOperationType
}

// UnmadeRuns lists the runs of the scheduled operations of a project that were due since a
// time and were left out, dropped or failed, the latest first, as far as the logs still have
// them.
func (s *Store) UnmadeRuns(ctx context.Context, projectID string, since time.Time, limit int) ([]UnmadeRun, error) {
	columns := "r." + strings.ReplaceAll(runListing.Columns, ", ", ", r.")
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (UnmadeRun, error) {
		var u UnmadeRun
		var manual int64
		err := row.Scan(&u.ID, &u.ScheduledOperationID, &u.ProjectID, rows.Time(&u.ExpectedAt), &manual, (*string)(&u.State),
			rows.Time(&u.TriggeredAt), rows.Time(&u.StartedAt), rows.Time(&u.EndedAt), &u.CheckpointID, &u.Reason,
			&u.Name, &u.PlanID, (*string)(&u.Type))
		u.Manual = manual != 0
		return u, err
	}, "SELECT "+columns+`, o.name, o.plan_id, o.operation_type FROM scheduled_operations o
		JOIN scheduled_runs r ON r.scheduled_operation_id = o.id
		WHERE o.project_id = ? AND o.deleted = 0 AND r.expected_at >= ? AND r.state IN (?, ?, ?)
		ORDER BY r.expected_at DESC, r.id DESC LIMIT ?`, projectID, rows.Micros(since),
		string(karbor.RunSkipped), string(karbor.RunDropped), string(karbor.RunError), limit)
	return found, rows.Failed("listing the runs that did not happen", err)
}
