package restores

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Verifications is how verifications are listed.
var Verifications = rows.Listing{
	What:  "verification",
	Table: "verifications",
	Columns: "id, project_id, provider_id, checkpoint_id, parameters, status, resources_status, " +
		"resources_reason, created_at, updated_at, stand_in",
	Keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "checkpoint_id": "checkpoint_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"status", "updated_at"},
}

// VerificationFilter narrows a list of verifications down. Empty members ask for
// nothing.
type VerificationFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID    string
	ProviderID   string
	CheckpointID string
	Status       string
}

// Verification gives a verification of a project, or of any if projectID is "".
func (s *Store) Verification(ctx context.Context, projectID, id string) (karbor.Verification, error) {
	v, err := rows.One(ctx, s.db, scanVerification, "SELECT "+Verifications.Columns+
		" FROM verifications WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Verification{}, rows.Missing(err, "verification", id)
	}
	return v, nil
}

// Verifications lists verifications. The error is karbor.Invalid for an unknown sort
// key or marker.
func (s *Store) Verifications(ctx context.Context, f VerificationFilter, p rows.Page) ([]karbor.Verification, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Equal("provider_id", f.ProviderID)
	filter.Equal("checkpoint_id", f.CheckpointID)
	filter.Equal("status", f.Status)
	return rows.List(ctx, s.db, Verifications, scope, filter, p, scanVerification)
}

// AddVerification keeps a new verification; karbor.Conflict if there is one of its id.
func AddVerification(ctx context.Context, t *rows.Tx, v *karbor.Verification) error {
	err := t.Exec(ctx, `INSERT INTO verifications (id, project_id, provider_id, checkpoint_id, parameters, status,
		resources_status, resources_reason, created_at, updated_at, stand_in, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		v.ID, v.ProjectID, v.ProviderID, v.CheckpointID, rows.Document(v.Parameters), string(v.Status),
		rows.Document(v.ResourcesStatus), rows.Document(v.ResourcesReason), rows.Micros(v.CreatedAt), rows.Micros(v.UpdatedAt), standIn(v.StandIn))
	if rows.IsDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a verification %s already", v.ID)
	}
	return err
}

func scanVerification(row *sql.Rows) (karbor.Verification, error) {
	var v karbor.Verification
	err := row.Scan(&v.ID, &v.ProjectID, &v.ProviderID, &v.CheckpointID, rows.Document(&v.Parameters), (*string)(&v.Status),
		rows.Document(&v.ResourcesStatus), rows.Document(&v.ResourcesReason), rows.Time(&v.CreatedAt), rows.Time(&v.UpdatedAt), rows.Document(&v.StandIn))
	return v, err
}
