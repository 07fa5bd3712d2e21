// Package restores keeps restores and verifications: what reads a checkpoint, and what
// stands in for it.
package restores

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps restores and verifications in the tables of a database. Its methods may
// be called concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the restores and verifications of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Listing is how restores are listed.
var Listing = rows.Listing{
	What:  "restore",
	Table: "restores",
	Columns: "id, project_id, provider_id, checkpoint_id, restore_target, parameters, status, " +
		"resources_status, resources_reason, keep_on_failure, choices, created_at, updated_at, stand_in",
	Keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "checkpoint_id": "checkpoint_id",
		"restore_target": "restore_target", "status": "status",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"status", "updated_at"},
}

// Filter narrows a list of restores down. Empty members ask for nothing.
type Filter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	Status    string
}

// Restore gives a restore of a project, or of any if projectID is "".
func (s *Store) Restore(ctx context.Context, projectID, id string) (karbor.Restore, error) {
	r, err := rows.One(ctx, s.db, scanRestore, "SELECT "+Listing.Columns+
		" FROM restores WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Restore{}, rows.Missing(err, "restore", id)
	}
	return r, nil
}

// Restores lists restores. The error is karbor.Invalid for an unknown sort key or
// marker.
func (s *Store) Restores(ctx context.Context, f Filter, p rows.Page) ([]karbor.Restore, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Equal("status", f.Status)
	return rows.List(ctx, s.db, Listing, scope, filter, p, scanRestore)
}

// Add keeps a new restore; karbor.Conflict if there is one of its id.
func Add(ctx context.Context, t *rows.Tx, r *karbor.Restore) error {
	err := t.Exec(ctx, `INSERT INTO restores (id, project_id, provider_id, checkpoint_id, restore_target,
		parameters, status, resources_status, resources_reason, keep_on_failure, choices, created_at, updated_at, stand_in, deleted)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`, r.ID, r.ProjectID, r.ProviderID, r.CheckpointID,
		r.RestoreTarget, rows.Document(r.Parameters), string(r.Status), rows.Document(r.ResourcesStatus),
		rows.Document(r.ResourcesReason), rows.Truth(r.KeepOnFailure), rows.Optional(r.Choices), rows.Micros(r.CreatedAt), rows.Micros(r.UpdatedAt), standIn(r.StandIn))
	if rows.IsDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a restore %s already", r.ID)
	}
	return err
}

func scanRestore(row *sql.Rows) (karbor.Restore, error) {
	var r karbor.Restore
	err := row.Scan(&r.ID, &r.ProjectID, &r.ProviderID, &r.CheckpointID, &r.RestoreTarget, rows.Document(&r.Parameters),
		(*string)(&r.Status), rows.Document(&r.ResourcesStatus), rows.Document(&r.ResourcesReason), &r.KeepOnFailure, rows.Document(&r.Choices),
		rows.Time(&r.CreatedAt), rows.Time(&r.UpdatedAt), rows.Document(&r.StandIn))
	return r, err
}
