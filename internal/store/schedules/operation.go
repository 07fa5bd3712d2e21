package schedules

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// OperationListing is how scheduled operations are listed.
var OperationListing = rows.Listing{
	What:  "scheduled operation",
	Table: "scheduled_operations",
	Columns: "id, name, description, operation_type, project_id, user_id, trigger_id, operation_definition, enabled, " +
		"created_at, updated_at, plan_id",
	Keys: map[string]string{
		"id": "id", "name": "name", "description": "description", "operation_type": "operation_type",
		"trigger_id": "trigger_id", "project_id": "project_id", "enabled": "enabled",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"name", "updated_at"},
}

// OperationFilter narrows a list of scheduled operations down. Empty
// members ask for nothing.
type OperationFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// Name is a part of the name, whatever its case.
	Name          string
	OperationType string
	TriggerID     string
	// Definition are parts of the definition's JSON, whatever their case, all of
	// which must be there.
	Definition []string
}

// CreateScheduledOperation keeps a new scheduled operation, without a delegation: see
// CreateSchedule.
func (s *Store) CreateScheduledOperation(ctx context.Context, o karbor.ScheduledOperation) error {
	return s.CreateSchedule(ctx, o, karbor.OverlapSkip, nil)
}

// checkUse holds the trigger and the plan of a scheduled operation, which must be of
// its project, and gives the trigger.
func checkUse(ctx context.Context, t *rows.Tx, o karbor.ScheduledOperation) (karbor.Trigger, error) {
	// Who deletes one of the two holds its row, too.
	g, err := trigger(ctx, t, o.ProjectID, o.TriggerID, rows.ForUpdate)
	if err != nil {
		return g, err
	}
	if o.Definition.PlanID == "" {
		return g, nil // it works on checkpoints, whatever plans there are
	}
	provider, err := rows.One(ctx, t, rows.Text, "SELECT provider_id FROM plans WHERE id = ? AND project_id = ? AND deleted = 0"+rows.ForUpdate,
		o.Definition.PlanID, o.ProjectID)
	if err != nil {
		return g, rows.Missing(err, "plan", o.Definition.PlanID)
	}
	if provider != o.Definition.ProviderID {
		return g, karbor.Errorf(karbor.Invalid, "operation_definition.provider_id: %s is not the provider of the plan %s",
			o.Definition.ProviderID, o.Definition.PlanID)
	}
	return g, nil
}

func insertScheduledOperation(ctx context.Context, t *rows.Tx, o karbor.ScheduledOperation) error {
	made, err := t.Insert(ctx, `INSERT INTO scheduled_operations (id, name, description, operation_type, project_id, user_id,
		trigger_id, plan_id, operation_definition, enabled, created_at, updated_at, deleted)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`, o.ID, o.Name, o.Description, string(o.OperationType), o.ProjectID,
		o.UserID, o.TriggerID, o.Definition.PlanID, rows.Document(o.Definition), rows.Truth(o.Enabled), rows.Micros(o.CreatedAt), rows.Micros(o.UpdatedAt))
	if err == nil && !made {
		return karbor.Errorf(karbor.Conflict, "there is a scheduled operation %s already", o.ID)
	}
	return err
}

// ScheduledOperation gives a scheduled operation of a project, or of any if
// projectID is "".
func (s *Store) ScheduledOperation(ctx context.Context, projectID, id string) (karbor.ScheduledOperation, error) {
	return scheduledOperation(ctx, s.db, projectID, id, "")
}

// scheduledOperation reads a scheduled operation; lock is rows.ForUpdate or "".
func scheduledOperation(ctx context.Context, q rows.Queryer, projectID, id, lock string) (karbor.ScheduledOperation, error) {
	o, err := rows.One(ctx, q, scanScheduledOperation, "SELECT "+OperationListing.Columns+
		" FROM scheduled_operations WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0"+lock, id, projectID, projectID)
	if err != nil {
		return karbor.ScheduledOperation{}, rows.Missing(err, "scheduled operation", id)
	}
	return o, nil
}

// ScheduledOperations lists scheduled operations. The error is karbor.Invalid for
// an unknown sort key or marker.
func (s *Store) ScheduledOperations(ctx context.Context, f OperationFilter, p rows.Page) ([]karbor.ScheduledOperation, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Part("name", f.Name)
	filter.Equal("operation_type", f.OperationType)
	filter.Equal("trigger_id", f.TriggerID)
	for _, part := range f.Definition {
		filter.Part("operation_definition", part)
	}
	return rows.List(ctx, s.db, OperationListing, scope, filter, p, scanScheduledOperation)
}

// DeleteScheduledOperation deletes a scheduled operation. Its checkpoints stay, and
// what runs goes on; its delegation is given back when that is over.
func (s *Store) DeleteScheduledOperation(ctx context.Context, projectID, id string) error {
	now := s.db.Now()
	return s.db.Write(ctx, "deleting the scheduled operation "+id, func(t *rows.Tx) error {
		n, err := t.Changed(ctx, `UPDATE scheduled_operations SET deleted = 1, deleted_at = ?, updated_at = ?
			WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0`, rows.Micros(now), rows.Micros(now), id, projectID, projectID)
		if err == nil && n == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return rows.Missing(err, "scheduled operation", id)
		}
		return deleteSchedule(ctx, t, id, rows.Micros(now))
	})
}

// Unscheduled makes sure that no scheduled operation uses a "trigger" or a "plan",
// whose row the transaction holds.
func Unscheduled(ctx context.Context, t *rows.Tx, what, id string) error {
	n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM scheduled_operations WHERE "+what+"_id = ? AND deleted = 0", id)
	if err != nil || n == 0 {
		return err
	}
	users := "a scheduled operation: delete it"
	if n > 1 {
		users = strconv.FormatInt(n, 10) + " scheduled operations: delete them"
	}
	return karbor.Errorf(karbor.FailedDependency, "the %s %s is used by %s first", what, id, users)
}

func scanScheduledOperation(row *sql.Rows) (karbor.ScheduledOperation, error) {
	var o karbor.ScheduledOperation
	var enabled int64
	var definition, plan string
	err := row.Scan(&o.ID, &o.Name, &o.Description, (*string)(&o.OperationType), &o.ProjectID, &o.UserID, &o.TriggerID,
		&definition, &enabled, rows.Time(&o.CreatedAt), rows.Time(&o.UpdatedAt), &plan)
	o.Enabled = enabled != 0
	if err != nil {
		return o, err
	}
	// One that can't be read does not keep the others from being listed.
	if (rows.Document(&o.Definition)).Scan(definition) != nil {
		o.Definition, o.Fault = karbor.OperationDefinition{PlanID: plan}, "its operation_definition can't be read"
	}
	return o, nil
}
