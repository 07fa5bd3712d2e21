package operations

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Logs is how operation logs are listed.
var Logs = rows.Listing{
	What:  "operation log",
	Table: "operation_logs",
	Columns: "id, project_id, operation_type, checkpoint_id, plan_id, provider_id, restore_id, " +
		"scheduled_operation_id, status, started_at, ended_at, error_info, extra_info",
	Keys: map[string]string{
		"id": "id", "operation_type": "operation_type", "checkpoint_id": "checkpoint_id", "plan_id": "plan_id",
		"provider_id": "provider_id", "restore_id": "restore_id",
		"scheduled_operation_id": "scheduled_operation_id", "status": "status", "started_at": "started_at",
		"ended_at": "ended_order", "created_at": "created_at",
	},
	Indexed: []string{"status", "started_at", "ended_order"},
}

// LogFilter narrows a list of operation logs down. Empty members ask for
// nothing.
type LogFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID    string
	CheckpointID string
	PlanID       string
	RestoreID    string
	Status       string
}

// OperationLog gives an operation log of a project, or of any if projectID is "".
func (s *Store) OperationLog(ctx context.Context, projectID, id string) (karbor.OperationLog, error) {
	l, err := rows.One(ctx, s.db, scanLog, "SELECT "+Logs.Columns+
		" FROM operation_logs WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.OperationLog{}, rows.Missing(err, "operation log", id)
	}
	return l, nil
}

// OperationLogs lists operation logs. The error is karbor.Invalid for an unknown
// sort key or marker.
func (s *Store) OperationLogs(ctx context.Context, f LogFilter, p rows.Page) ([]karbor.OperationLog, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Equal("checkpoint_id", f.CheckpointID)
	filter.Equal("plan_id", f.PlanID)
	filter.Equal("restore_id", f.RestoreID)
	filter.Equal("status", f.Status)
	return rows.List(ctx, s.db, Logs, scope, filter, p, scanLog)
}

// AddLog keeps a new operation log; karbor.Conflict if there is one of its id.
func AddLog(ctx context.Context, t *rows.Tx, l *karbor.OperationLog) error {
	return t.Add(ctx, "an operation log", l.ID, `INSERT INTO operation_logs (id, project_id, operation_type, checkpoint_id, plan_id,
		provider_id, restore_id, scheduled_operation_id, status, started_at, ended_at, error_info, extra_info,
		created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		l.ID, l.ProjectID, string(l.OperationType), l.CheckpointID, l.PlanID, l.ProviderID, l.RestoreID,
		l.ScheduledOperationID, string(l.Status), rows.Micros(l.StartedAt), rows.MicrosOrNull(l.EndedAt), l.ErrorInfo,
		rows.Document(l.ExtraInfo), rows.Micros(l.StartedAt), rows.Micros(l.StartedAt))
}

func scanLog(row *sql.Rows) (karbor.OperationLog, error) {
	var l karbor.OperationLog
	err := row.Scan(&l.ID, &l.ProjectID, (*string)(&l.OperationType), &l.CheckpointID, &l.PlanID, &l.ProviderID,
		&l.RestoreID, &l.ScheduledOperationID, (*string)(&l.Status), rows.Time(&l.StartedAt), rows.Time(&l.EndedAt),
		&l.ErrorInfo, rows.Document(&l.ExtraInfo))
	return l, err
}
