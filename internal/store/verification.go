package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

var verifications = listing{
	what:  "verification",
	table: "verifications",
	columns: "id, project_id, provider_id, checkpoint_id, parameters, status, resources_status, " +
		"resources_reason, created_at, updated_at, stand_in",
	keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "checkpoint_id": "checkpoint_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	indexed: []string{"status", "updated_at"},
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
	v, err := one(ctx, s.reader, scanVerification, "SELECT "+verifications.columns+
		" FROM verifications WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Verification{}, missing(err, "verification", id)
	}
	return v, nil
}

// Verifications lists verifications. The error is karbor.Invalid for an unknown sort
// key or marker.
func (s *Store) Verifications(ctx context.Context, f VerificationFilter, p Page) ([]karbor.Verification, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.add("deleted = 0")
	filter.equal("provider_id", f.ProviderID)
	filter.equal("checkpoint_id", f.CheckpointID)
	filter.equal("status", f.Status)
	return list(ctx, s, verifications, scope, filter, p, scanVerification)
}

func insertVerification(ctx context.Context, t *transaction, v *karbor.Verification) error {
	err := t.exec(ctx, `INSERT INTO verifications (id, project_id, provider_id, checkpoint_id, parameters, status,
		resources_status, resources_reason, created_at, updated_at, stand_in, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		v.ID, v.ProjectID, v.ProviderID, v.CheckpointID, document{v.Parameters}, string(v.Status),
		document{v.ResourcesStatus}, document{v.ResourcesReason}, micros(v.CreatedAt), micros(v.UpdatedAt), standIn(v.StandIn))
	if isDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a verification %s already", v.ID)
	}
	return err
}

func scanVerification(rows *sql.Rows) (karbor.Verification, error) {
	var v karbor.Verification
	err := rows.Scan(&v.ID, &v.ProjectID, &v.ProviderID, &v.CheckpointID, document{&v.Parameters}, (*string)(&v.Status),
		document{&v.ResourcesStatus}, document{&v.ResourcesReason}, timeColumn{&v.CreatedAt}, timeColumn{&v.UpdatedAt}, document{&v.StandIn})
	return v, err
}
