// Package copies keeps requests for copies of checkpoints, and how far each copy is.
package copies

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps copies in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the copies of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Listing is how requests for copies are listed.
var Listing = rows.Listing{
	What:    "copy request",
	Table:   "copies",
	Columns: "id, project_id, provider_id, plan_id, checkpoints, parameters, status, created_at, updated_at",
	Keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "plan_id": "plan_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed:    []string{"status", "updated_at"},
	OfProvider: true,
}

// Filter narrows a list of copies down. Empty members ask for nothing.
type Filter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID  string
	ProviderID string
	PlanID     string
	Status     string
}

// Copy gives a copy of a provider and of a project, or of any project if projectID
// is "".
func (s *Store) Copy(ctx context.Context, projectID, providerID, id string) (karbor.Copy, error) {
	c, err := rows.One(ctx, s.db, scan, "SELECT "+Listing.Columns+` FROM copies
		WHERE id = ? AND provider_id = ? AND (project_id = ? OR ? = '') AND deleted = 0`, id, providerID, projectID, projectID)
	if err != nil {
		return karbor.Copy{}, rows.Missing(err, "copy request", id)
	}
	return c, nil
}

// Copies lists copies. The error is karbor.Invalid for an unknown sort key or marker.
func (s *Store) Copies(ctx context.Context, f Filter, p rows.Page) ([]karbor.Copy, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	scope.Equal("provider_id", f.ProviderID)
	filter.Add("deleted = 0")
	filter.Equal("plan_id", f.PlanID)
	filter.Equal("status", f.Status)
	return rows.List(ctx, s.db, Listing, scope, filter, p, scan)
}

// Add keeps a new request for copies; karbor.Conflict if there is one of its id.
func Add(ctx context.Context, t *rows.Tx, c *karbor.Copy) error {
	err := t.Exec(ctx, `INSERT INTO copies (id, project_id, provider_id, plan_id, checkpoints, parameters, status,
		created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		c.ID, c.ProjectID, c.ProviderID, c.PlanID, rows.Document(c.Checkpoints), rows.Document(c.Parameters), string(c.Status),
		rows.Micros(c.CreatedAt), rows.Micros(c.UpdatedAt))
	if rows.IsDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a copy request %s already", c.ID)
	}
	return err
}

func scan(row *sql.Rows) (karbor.Copy, error) {
	var c karbor.Copy
	err := row.Scan(&c.ID, &c.ProjectID, &c.ProviderID, &c.PlanID, rows.Document(&c.Checkpoints), rows.Document(&c.Parameters),
		(*string)(&c.Status), rows.Time(&c.CreatedAt), rows.Time(&c.UpdatedAt))
	return c, err
}
