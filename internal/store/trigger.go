package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

var triggers = listing{
	what:    "trigger",
	table:   "triggers",
	columns: "id, name, project_id, type, properties, created_at, updated_at",
	keys: map[string]string{
		"id": "id", "name": "name", "type": "type", "project_id": "project_id",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	indexed: []string{"name", "updated_at"},
}

// TriggerFilter narrows a list of triggers down. Empty members ask for nothing.
type TriggerFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// Name is a part of the name, whatever its case.
	Name string
	Type string
	// Properties are parts of the properties' JSON, whatever their case, all of
	// which must be there.
	Properties []string
}

// CreateTrigger keeps a new trigger. CreatedAt and UpdatedAt are filled in if they
// are zero.
func (s *Store) CreateTrigger(ctx context.Context, g karbor.Trigger) error {
	s.fillIn(&g.CreatedAt, &g.UpdatedAt)
	return s.write(ctx, "creating the trigger "+g.ID, func(t *transaction) error {
		made, err := t.insert(ctx, `INSERT INTO triggers (id, name, project_id, type, properties, created_at, updated_at,
			deleted) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`, g.ID, g.Name, g.ProjectID, string(g.Type), document{g.Properties},
			micros(g.CreatedAt), micros(g.UpdatedAt))
		if err == nil && !made {
			return karbor.Errorf(karbor.Conflict, "there is a trigger %s already", g.ID)
		}
		return err
	})
}

// Trigger gives a trigger of a project, or of any if projectID is "".
func (s *Store) Trigger(ctx context.Context, projectID, id string) (karbor.Trigger, error) {
	return trigger(ctx, s.reader, projectID, id, "")
}

// trigger reads a trigger; lock is forUpdate or "".
func trigger(ctx context.Context, q queryer, projectID, id, lock string) (karbor.Trigger, error) {
	g, err := one(ctx, q, scanTrigger, "SELECT "+triggers.columns+
		" FROM triggers WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0"+lock, id, projectID, projectID)
	if err != nil {
		return karbor.Trigger{}, missing(err, "trigger", id)
	}
	return g, nil
}

// Triggers lists triggers. The error is karbor.Invalid for an unknown sort key or
// marker.
func (s *Store) Triggers(ctx context.Context, f TriggerFilter, p Page) ([]karbor.Trigger, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.add("deleted = 0")
	filter.part("name", f.Name)
	filter.equal("type", f.Type)
	for _, part := range f.Properties {
		filter.part("properties", part)
	}
	return list(ctx, s, triggers, scope, filter, p, scanTrigger)
}

// UpdateTrigger changes a trigger: change gets it as it is, and what it leaves is
// kept. An error of change is returned, and changes nothing. Its id, project, type
// and date of creation stay as they are; UpdatedAt is set. change may be called
// more than once. by is the user who does it: where another one has lent their rights to
// a scheduled operation of the trigger, these end with a change of its properties.
func (s *Store) UpdateTrigger(ctx context.Context, projectID, id, by string, change func(*karbor.Trigger) error) (karbor.Trigger, error) {
	var g karbor.Trigger
	now, err := s.moment(ctx)
	if err != nil {
		return g, err
	}
	err = s.write(ctx, "changing the trigger "+id, func(t *transaction) error {
		old, err := trigger(ctx, t, projectID, id, forUpdate)
		if err != nil {
			return err
		}
		g = old
		if err := change(&g); err != nil {
			return err
		}
		g.ID, g.ProjectID, g.Type, g.CreatedAt = old.ID, old.ProjectID, old.Type, old.CreatedAt
		g.UpdatedAt = s.now().UTC().Truncate(time.Microsecond)
		if g.Properties != old.Properties {
			if err := s.retime(ctx, t, old, g, now); err != nil {
				return err
			}
			if err := distrust(ctx, t, "trigger", id, by, g.UpdatedAt); err != nil {
				return err
			}
			g.Fault = ""
		}
		if g.Fault != "" {
			// What can't be read stays as it is.
			return t.exec(ctx, "UPDATE triggers SET name = ?, updated_at = ? WHERE id = ?", g.Name, micros(g.UpdatedAt), id)
		}
		return t.exec(ctx, "UPDATE triggers SET name = ?, properties = ?, updated_at = ? WHERE id = ?",
			g.Name, document{g.Properties}, micros(g.UpdatedAt), id)
	})
	if err != nil {
		return karbor.Trigger{}, err
	}
	return g, nil
}

// readable refuses a trigger that would never fire, as nobody can tell when.
func readable(g karbor.Trigger) error {
	if g.Fault == "" {
		return nil
	}
	return karbor.Errorf(karbor.Conflict, "the trigger %s can't be used before its properties are replaced: they can't be read", g.ID)
}

// UnreadableTriggers gives those of some triggers that never fire, as nobody can tell when.
func (s *Store) UnreadableTriggers(ctx context.Context, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for part := range slices.Chunk(ids, 100) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		found, err := all(ctx, unprepared{s.reader}, scanTrigger, "SELECT "+triggers.columns+" FROM triggers WHERE id IN (?"+
			strings.Repeat(", ?", len(part)-1)+")", args...)
		if err != nil {
			return nil, failed("reading triggers", err)
		}
		for _, g := range found {
			if g.Fault != "" || s.clock(g).schedule == nil {
				out[g.ID] = true
			}
		}
	}
	return out, nil
}

// DeleteTrigger deletes a trigger. The error is karbor.FailedDependency as long as
// a scheduled operation uses it.
func (s *Store) DeleteTrigger(ctx context.Context, projectID, id string) error {
	now := s.now()
	return s.write(ctx, "deleting the trigger "+id, func(t *transaction) error {
		// Who makes a scheduled operation holds this row, too.
		if _, err := trigger(ctx, t, projectID, id, forUpdate); err != nil {
			return err
		}
		if err := unscheduled(ctx, t, "trigger", id); err != nil {
			return err
		}
		return t.exec(ctx, "UPDATE triggers SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?",
			micros(now), micros(now), id)
	})
}

func scanTrigger(rows *sql.Rows) (karbor.Trigger, error) {
	var g karbor.Trigger
	var properties string
	err := rows.Scan(&g.ID, &g.Name, &g.ProjectID, (*string)(&g.Type), &properties, timeColumn{&g.CreatedAt}, timeColumn{&g.UpdatedAt})
	if err != nil {
		return g, err
	}
	// One that can't be read does not keep the others from being listed.
	if (document{&g.Properties}).Scan(properties) != nil {
		g.Properties, g.Fault = karbor.TriggerProperties{}, "its properties can't be read"
	}
	return g, nil
}
