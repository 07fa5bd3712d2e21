package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

var copies = listing{
	what:    "copy request",
	table:   "copies",
	columns: "id, project_id, provider_id, plan_id, checkpoints, parameters, status, created_at, updated_at",
	keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "plan_id": "plan_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	indexed:    []string{"status", "updated_at"},
	ofProvider: true,
}

// CopyFilter narrows a list of copies down. Empty members ask for nothing.
type CopyFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID  string
	ProviderID string
	PlanID     string
	Status     string
}

// Copy gives a copy of a provider and of a project, or of any project if projectID
// is "".
func (s *Store) Copy(ctx context.Context, projectID, providerID, id string) (karbor.Copy, error) {
	c, err := one(ctx, s.reader, scanCopy, "SELECT "+copies.columns+` FROM copies
		WHERE id = ? AND provider_id = ? AND (project_id = ? OR ? = '') AND deleted = 0`, id, providerID, projectID, projectID)
	if err != nil {
		return karbor.Copy{}, missing(err, "copy request", id)
	}
	return c, nil
}

// Copies lists copies. The error is karbor.Invalid for an unknown sort key or marker.
func (s *Store) Copies(ctx context.Context, f CopyFilter, p Page) ([]karbor.Copy, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	scope.equal("provider_id", f.ProviderID)
	filter.add("deleted = 0")
	filter.equal("plan_id", f.PlanID)
	filter.equal("status", f.Status)
	return list(ctx, s, copies, scope, filter, p, scanCopy)
}

func insertCopy(ctx context.Context, t *transaction, c *karbor.Copy) error {
	err := t.exec(ctx, `INSERT INTO copies (id, project_id, provider_id, plan_id, checkpoints, parameters, status,
		created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		c.ID, c.ProjectID, c.ProviderID, c.PlanID, document{c.Checkpoints}, document{c.Parameters}, string(c.Status),
		micros(c.CreatedAt), micros(c.UpdatedAt))
	if isDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a copy request %s already", c.ID)
	}
	return err
}

func scanCopy(rows *sql.Rows) (karbor.Copy, error) {
	var c karbor.Copy
	err := rows.Scan(&c.ID, &c.ProjectID, &c.ProviderID, &c.PlanID, document{&c.Checkpoints}, document{&c.Parameters},
		(*string)(&c.Status), timeColumn{&c.CreatedAt}, timeColumn{&c.UpdatedAt})
	return c, err
}
