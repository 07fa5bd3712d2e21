package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

var restores = listing{
	what:  "restore",
	table: "restores",
	columns: "id, project_id, provider_id, checkpoint_id, restore_target, parameters, status, " +
		"resources_status, resources_reason, keep_on_failure, choices, created_at, updated_at, stand_in",
	keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "checkpoint_id": "checkpoint_id",
		"restore_target": "restore_target", "status": "status",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	indexed: []string{"status", "updated_at"},
}

// RestoreFilter narrows a list of restores down. Empty members ask for nothing.
type RestoreFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	Status    string
}

// Restore gives a restore of a project, or of any if projectID is "".
func (s *Store) Restore(ctx context.Context, projectID, id string) (karbor.Restore, error) {
	r, err := one(ctx, s.reader, scanRestore, "SELECT "+restores.columns+
		" FROM restores WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Restore{}, missing(err, "restore", id)
	}
	return r, nil
}

// Restores lists restores. The error is karbor.Invalid for an unknown sort key or
// marker.
func (s *Store) Restores(ctx context.Context, f RestoreFilter, p Page) ([]karbor.Restore, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.add("deleted = 0")
	filter.equal("status", f.Status)
	return list(ctx, s, restores, scope, filter, p, scanRestore)
}

func insertRestore(ctx context.Context, t *transaction, r *karbor.Restore) error {
	err := t.exec(ctx, `INSERT INTO restores (id, project_id, provider_id, checkpoint_id, restore_target,
		parameters, status, resources_status, resources_reason, keep_on_failure, choices, created_at, updated_at, stand_in, deleted)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`, r.ID, r.ProjectID, r.ProviderID, r.CheckpointID,
		r.RestoreTarget, document{r.Parameters}, string(r.Status), document{r.ResourcesStatus},
		document{r.ResourcesReason}, truth(r.KeepOnFailure), choices(r.Choices), micros(r.CreatedAt), micros(r.UpdatedAt), standIn(r.StandIn))
	if isDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a restore %s already", r.ID)
	}
	return err
}

// choices gives a restore's choices as they lie in their column: NULL for none.
func choices(c karbor.RestoreChoices) any {
	if c.IsZero() {
		return nil
	}
	return document{c}
}

func scanRestore(rows *sql.Rows) (karbor.Restore, error) {
	var r karbor.Restore
	err := rows.Scan(&r.ID, &r.ProjectID, &r.ProviderID, &r.CheckpointID, &r.RestoreTarget, document{&r.Parameters},
		(*string)(&r.Status), document{&r.ResourcesStatus}, document{&r.ResourcesReason}, &r.KeepOnFailure, document{&r.Choices},
		timeColumn{&r.CreatedAt}, timeColumn{&r.UpdatedAt}, document{&r.StandIn})
	return r, err
}
