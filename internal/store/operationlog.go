package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

var operationLogs = listing{
	what:  "operation log",
	table: "operation_logs",
	columns: "id, project_id, operation_type, checkpoint_id, plan_id, provider_id, restore_id, " +
		"scheduled_operation_id, status, started_at, ended_at, error_info, extra_info",
	keys: map[string]string{
		"id": "id", "operation_type": "operation_type", "checkpoint_id": "checkpoint_id", "plan_id": "plan_id",
		"provider_id": "provider_id", "restore_id": "restore_id",
		"scheduled_operation_id": "scheduled_operation_id", "status": "status", "started_at": "started_at",
		"ended_at": "ended_order", "created_at": "created_at",
	},
	indexed: []string{"status", "started_at", "ended_order"},
}

// OperationLogFilter narrows a list of operation logs down. Empty members ask for
// nothing.
type OperationLogFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID    string
	CheckpointID string
	PlanID       string
	RestoreID    string
	Status       string
}

// OperationLog gives an operation log of a project, or of any if projectID is "".
func (s *Store) OperationLog(ctx context.Context, projectID, id string) (karbor.OperationLog, error) {
	l, err := one(ctx, s.reader, scanOperationLog, "SELECT "+operationLogs.columns+
		" FROM operation_logs WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.OperationLog{}, missing(err, "operation log", id)
	}
	return l, nil
}

// OperationLogs lists operation logs. The error is karbor.Invalid for an unknown
// sort key or marker.
func (s *Store) OperationLogs(ctx context.Context, f OperationLogFilter, p Page) ([]karbor.OperationLog, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.add("deleted = 0")
	filter.equal("checkpoint_id", f.CheckpointID)
	filter.equal("plan_id", f.PlanID)
	filter.equal("restore_id", f.RestoreID)
	filter.equal("status", f.Status)
	return list(ctx, s, operationLogs, scope, filter, p, scanOperationLog)
}

func insertOperationLog(ctx context.Context, t *transaction, l *karbor.OperationLog) error {
	return t.add(ctx, "an operation log", l.ID, `INSERT INTO operation_logs (id, project_id, operation_type, checkpoint_id, plan_id,
		provider_id, restore_id, scheduled_operation_id, status, started_at, ended_at, error_info, extra_info,
		created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		l.ID, l.ProjectID, string(l.OperationType), l.CheckpointID, l.PlanID, l.ProviderID, l.RestoreID,
		l.ScheduledOperationID, string(l.Status), micros(l.StartedAt), microsOrNull(l.EndedAt), l.ErrorInfo,
		document{l.ExtraInfo}, micros(l.StartedAt), micros(l.StartedAt))
}

func scanOperationLog(rows *sql.Rows) (karbor.OperationLog, error) {
	var l karbor.OperationLog
	err := rows.Scan(&l.ID, &l.ProjectID, (*string)(&l.OperationType), &l.CheckpointID, &l.PlanID, &l.ProviderID,
		&l.RestoreID, &l.ScheduledOperationID, (*string)(&l.Status), timeColumn{&l.StartedAt}, timeColumn{&l.EndedAt},
		&l.ErrorInfo, document{&l.ExtraInfo})
	return l, err
}
