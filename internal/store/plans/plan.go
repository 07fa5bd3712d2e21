// Package plans keeps plans: what is protected together, and how.
package plans

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/store/schedules"
)

// Store keeps plans in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the plans of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Listing is how plans are listed.
var Listing = rows.Listing{
	What:  "plan",
	Table: "plans",
	Columns: "id, name, description, provider_id, project_id, status, resources, parameters, " +
		"created_at, updated_at",
	Keys: map[string]string{
		"id": "id", "name": "name", "description": "description", "status": "status",
		"provider_id": "provider_id", "project_id": "project_id",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"name", "status", "updated_at"},
}

// Filter narrows a list of plans down. Empty members ask for nothing.
type Filter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// Name and Description are parts of these texts, whatever their case.
	Name        string
	Description string
	Status      string
}

// CreatePlan keeps a new plan. limit is the configured quota of plans, -1 for any
// number, over which go those of the default class and of the plan's project; beyond
// it the error is karbor.OverLimit. CreatedAt and UpdatedAt are filled in if they are
// zero.
func (s *Store) CreatePlan(ctx context.Context, p karbor.Plan, limit int) error {
	rows.FillIn(s.db.Now, &p.CreatedAt, &p.UpdatedAt)
	return s.db.Write(ctx, "creating the plan "+p.ID, func(t *rows.Tx) error {
		if err := ledger.Take(ctx, t, p.ProjectID, ledger.QuotaPlans, ledger.Limits{ledger.QuotaPlans: int64(limit)}); err != nil {
			return err
		}
		err := t.Exec(ctx, `INSERT INTO plans (id, name, description, provider_id, project_id, status, resources,
			parameters, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			p.ID, p.Name, p.Description, p.ProviderID, p.ProjectID, string(p.Status), rows.Document(p.Resources),
			rows.Document(p.Parameters), rows.Micros(p.CreatedAt), rows.Micros(p.UpdatedAt))
		if rows.IsDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "there is a plan %s already", p.ID)
		}
		if err != nil {
			return err
		}
		if err := ledger.Change(ctx, t, p.ProjectID, ledger.QuotaPlans, ledger.Usage{InUse: 1}); err != nil {
			return err
		}
		return insertResources(ctx, t, &p)
	})
}

// CountPlans gives the number of plans of a project.
func (s *Store) CountPlans(ctx context.Context, projectID string) (int, error) {
	n, err := rows.One(ctx, s.db, rows.Int, ledger.CountPlans, projectID)
	return int(n), rows.Failed("counting plans", err)
}

// Plan gives a plan of a project, or of any if projectID is "".
func (s *Store) Plan(ctx context.Context, projectID, id string) (karbor.Plan, error) {
	return plan(ctx, s.db, projectID, id)
}

func plan(ctx context.Context, q rows.Queryer, projectID, id string) (karbor.Plan, error) {
	p, err := rows.One(ctx, q, scanPlan, "SELECT "+Listing.Columns+
		" FROM plans WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Plan{}, rows.Missing(err, "plan", id)
	}
	return p, nil
}

// Plans lists plans. The error is karbor.Invalid for an unknown sort key or marker.
func (s *Store) Plans(ctx context.Context, f Filter, p rows.Page) ([]karbor.Plan, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Part("name", f.Name)
	filter.Part("description", f.Description)
	filter.Equal("status", f.Status)
	return rows.List(ctx, s.db, Listing, scope, filter, p, scanPlan)
}

// UpdatePlan changes a plan: change gets it as it is, and what it leaves is kept.
// An error of change is returned, and changes nothing. Its id, project and date
// of creation stay as they are; UpdatedAt is set. by is the user who does it: where
// another one has lent their rights to a scheduled operation of the plan, these end with
// a change of what it protects.
func (s *Store) UpdatePlan(ctx context.Context, projectID, id, by string, change func(*karbor.Plan) error) (karbor.Plan, error) {
	var p karbor.Plan
	err := s.db.Write(ctx, "changing the plan "+id, func(t *rows.Tx) error {
		old, err := plan(ctx, t, projectID, id)
		if err != nil {
			return err
		}
		p = old
		if err := change(&p); err != nil {
			return err
		}
		p.ID, p.ProjectID, p.CreatedAt = old.ID, old.ProjectID, old.CreatedAt
		p.UpdatedAt = s.db.Now().UTC().Truncate(time.Microsecond)
		err = t.Exec(ctx, `UPDATE plans SET name = ?, description = ?, provider_id = ?, status = ?, resources = ?,
			parameters = ?, updated_at = ? WHERE id = ?`, p.Name, p.Description, p.ProviderID, string(p.Status),
			rows.Document(p.Resources), rows.Document(p.Parameters), rows.Micros(p.UpdatedAt), id)
		if err != nil {
			return err
		}
		same, err := sameContents(old, p)
		if err == nil && !same {
			err = schedules.Distrust(ctx, t, "plan", id, by, p.UpdatedAt)
		}
		if err != nil {
			return err
		}
		if err := deleteResources(ctx, t, id, p.UpdatedAt); err != nil {
			return err
		}
		return insertResources(ctx, t, &p)
	})
	if err != nil {
		return karbor.Plan{}, err
	}
	return p, nil
}

// DeletePlan deletes a plan. Its checkpoints stay. The error is
// karbor.FailedDependency as long as a scheduled operation uses it.
func (s *Store) DeletePlan(ctx context.Context, projectID, id string) error {
	now := s.db.Now()
	return s.db.Write(ctx, "deleting the plan "+id, func(t *rows.Tx) error {
		owner, err := rows.One(ctx, t, rows.Text, `SELECT project_id FROM plans
			WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0`+rows.ForUpdate, id, projectID, projectID)
		if err != nil {
			return rows.Missing(err, "plan", id)
		}
		if err := schedules.Unscheduled(ctx, t, "plan", id); err != nil {
			return err
		}
		if err := ledger.Hold(ctx, t, owner, ledger.QuotaPlans); err != nil {
			return err
		}
		if err := ledger.Change(ctx, t, owner, ledger.QuotaPlans, ledger.Usage{InUse: -1}); err != nil {
			return err
		}
		err = t.Exec(ctx, "UPDATE plans SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?",
			rows.Micros(now), rows.Micros(now), id)
		if err != nil {
			return err
		}
		return deleteResources(ctx, t, id, now)
	})
}

func insertResources(ctx context.Context, t *rows.Tx, p *karbor.Plan) error {
	for _, r := range p.Resources {
		err := t.Exec(ctx, `INSERT INTO resources (id, plan_id, resource_id, resource_type, resource_name,
			created_at, deleted) VALUES (?, ?, ?, ?, ?, ?, 0)`,
			rows.RandomInteger(), p.ID, r.ID, string(r.Type), r.Name, rows.Micros(p.UpdatedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteResources(ctx context.Context, t *rows.Tx, planID string, now time.Time) error {
	err := t.Exec(ctx, "UPDATE resources SET deleted = 1, deleted_at = ? WHERE plan_id = ? AND deleted = 0",
		rows.Micros(now), planID)
	return err
}

func scanPlan(row *sql.Rows) (karbor.Plan, error) {
	var p karbor.Plan
	err := row.Scan(&p.ID, &p.Name, &p.Description, &p.ProviderID, &p.ProjectID, (*string)(&p.Status),
		rows.Document(&p.Resources), rows.Document(&p.Parameters), rows.Time(&p.CreatedAt), rows.Time(&p.UpdatedAt))
	return p, err
}

// sameContents reports whether two plans protect the same in the same way.
func sameContents(a, b karbor.Plan) (bool, error) {
	texts := make([][]byte, 2)
	for i, p := range []karbor.Plan{a, b} {
		text, err := json.Marshal([]any{p.ProviderID, p.Resources, p.Parameters})
		if err != nil {
			return false, err
		}
		texts[i] = text
	}
	return bytes.Equal(texts[0], texts[1]), nil
}
