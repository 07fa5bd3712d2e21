package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"time"

	"github.com/karbor/karbor"
)

var plans = listing{
	what:  "plan",
	table: "plans",
	columns: "id, name, description, provider_id, project_id, status, resources, parameters, " +
		"created_at, updated_at",
	keys: map[string]string{
		"id": "id", "name": "name", "description": "description", "status": "status",
		"provider_id": "provider_id", "project_id": "project_id",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	indexed: []string{"name", "status", "updated_at"},
}

// PlanFilter narrows a list of plans down. Empty members ask for nothing.
type PlanFilter struct {
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
	s.fillIn(&p.CreatedAt, &p.UpdatedAt)
	return s.write(ctx, "creating the plan "+p.ID, func(t *transaction) error {
		l, err := limits(ctx, t, p.ProjectID, Limits{QuotaPlans: int64(limit)})
		if err != nil {
			return err
		}
		if _, err := s.claim(ctx, t, p.ProjectID, QuotaPlans, 1, l); err != nil {
			return err
		}
		err = t.exec(ctx, `INSERT INTO plans (id, name, description, provider_id, project_id, status, resources,
			parameters, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			p.ID, p.Name, p.Description, p.ProviderID, p.ProjectID, string(p.Status), document{p.Resources},
			document{p.Parameters}, micros(p.CreatedAt), micros(p.UpdatedAt))
		if isDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "there is a plan %s already", p.ID)
		}
		if err != nil {
			return err
		}
		if err := s.changeUsage(ctx, t, p.ProjectID, QuotaPlans, Usage{InUse: 1}); err != nil {
			return err
		}
		return insertResources(ctx, t, &p)
	})
}

const countPlans = "SELECT COUNT(*) FROM plans WHERE project_id = ? AND deleted = 0"

// CountPlans gives the number of plans of a project.
func (s *Store) CountPlans(ctx context.Context, projectID string) (int, error) {
	n, err := one(ctx, s.reader, scanInt, countPlans, projectID)
	return int(n), failed("counting plans", err)
}

// Plan gives a plan of a project, or of any if projectID is "".
func (s *Store) Plan(ctx context.Context, projectID, id string) (karbor.Plan, error) {
	return plan(ctx, s.reader, projectID, id)
}

func plan(ctx context.Context, q queryer, projectID, id string) (karbor.Plan, error) {
	p, err := one(ctx, q, scanPlan, "SELECT "+plans.columns+
		" FROM plans WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Plan{}, missing(err, "plan", id)
	}
	return p, nil
}

// Plans lists plans. The error is karbor.Invalid for an unknown sort key or marker.
func (s *Store) Plans(ctx context.Context, f PlanFilter, p Page) ([]karbor.Plan, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.add("deleted = 0")
	filter.part("name", f.Name)
	filter.part("description", f.Description)
	filter.equal("status", f.Status)
	return list(ctx, s, plans, scope, filter, p, scanPlan)
}

// UpdatePlan changes a plan: change gets it as it is, and what it leaves is kept.
// An error of change is returned, and changes nothing. Its id, project and date
// of creation stay as they are; UpdatedAt is set. by is the user who does it: where
// another one has lent their rights to a scheduled operation of the plan, these end with
// a change of what it protects.
func (s *Store) UpdatePlan(ctx context.Context, projectID, id, by string, change func(*karbor.Plan) error) (karbor.Plan, error) {
	var p karbor.Plan
	err := s.write(ctx, "changing the plan "+id, func(t *transaction) error {
		old, err := plan(ctx, t, projectID, id)
		if err != nil {
			return err
		}
		p = old
		if err := change(&p); err != nil {
			return err
		}
		p.ID, p.ProjectID, p.CreatedAt = old.ID, old.ProjectID, old.CreatedAt
		p.UpdatedAt = s.now().UTC().Truncate(time.Microsecond)
		err = t.exec(ctx, `UPDATE plans SET name = ?, description = ?, provider_id = ?, status = ?, resources = ?,
			parameters = ?, updated_at = ? WHERE id = ?`, p.Name, p.Description, p.ProviderID, string(p.Status),
			document{p.Resources}, document{p.Parameters}, micros(p.UpdatedAt), id)
		if err != nil {
			return err
		}
		same, err := sameContents(old, p)
		if err == nil && !same {
			err = distrust(ctx, t, "plan", id, by, p.UpdatedAt)
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
	now := s.now()
	return s.write(ctx, "deleting the plan "+id, func(t *transaction) error {
		owner, err := one(ctx, t, scanText, `SELECT project_id FROM plans
			WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0`+forUpdate, id, projectID, projectID)
		if err != nil {
			return missing(err, "plan", id)
		}
		if err := unscheduled(ctx, t, "plan", id); err != nil {
			return err
		}
		if _, err := s.lockUsage(ctx, t, owner, QuotaPlans); err != nil {
			return err
		}
		if err := s.changeUsage(ctx, t, owner, QuotaPlans, Usage{InUse: -1}); err != nil {
			return err
		}
		err = t.exec(ctx, "UPDATE plans SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?",
			micros(now), micros(now), id)
		if err != nil {
			return err
		}
		return deleteResources(ctx, t, id, now)
	})
}

func insertResources(ctx context.Context, t *transaction, p *karbor.Plan) error {
	for _, r := range p.Resources {
		err := t.exec(ctx, `INSERT INTO resources (id, plan_id, resource_id, resource_type, resource_name,
			created_at, deleted) VALUES (?, ?, ?, ?, ?, ?, 0)`,
			randomInteger(), p.ID, r.ID, string(r.Type), r.Name, micros(p.UpdatedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteResources(ctx context.Context, t *transaction, planID string, now time.Time) error {
	err := t.exec(ctx, "UPDATE resources SET deleted = 1, deleted_at = ? WHERE plan_id = ? AND deleted = 0",
		micros(now), planID)
	return err
}

// randomInteger makes an id for a table whose ids are integers. Databases count
// them up in ways that differ; a random one is the same in all.
func randomInteger() int64 {
	var b [8]byte
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

func scanPlan(rows *sql.Rows) (karbor.Plan, error) {
	var p karbor.Plan
	err := rows.Scan(&p.ID, &p.Name, &p.Description, &p.ProviderID, &p.ProjectID, (*string)(&p.Status),
		document{&p.Resources}, document{&p.Parameters}, timeColumn{&p.CreatedAt}, timeColumn{&p.UpdatedAt})
	return p, err
}

// fillIn dates a new row, where its maker has not.
func (s *Store) fillIn(created, updated *time.Time) {
	if created.IsZero() {
		*created = s.now()
	}
	if updated.IsZero() {
		*updated = *created
	}
}
