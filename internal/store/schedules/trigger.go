package schedules

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// TriggerListing is how triggers are listed.
var TriggerListing = rows.Listing{
	What:    "trigger",
	Table:   "triggers",
	Columns: "id, name, project_id, type, properties, created_at, updated_at",
	Keys: map[string]string{
		"id": "id", "name": "name", "type": "type", "project_id": "project_id",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"name", "updated_at"},
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
	rows.FillIn(s.db.Now, &g.CreatedAt, &g.UpdatedAt)
	return s.db.Write(ctx, "creating the trigger "+g.ID, func(t *rows.Tx) error {
		made, err := t.Insert(ctx, `INSERT INTO triggers (id, name, project_id, type, properties, created_at, updated_at,
			deleted) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`, g.ID, g.Name, g.ProjectID, string(g.Type), rows.Document(g.Properties),
			rows.Micros(g.CreatedAt), rows.Micros(g.UpdatedAt))
		if err == nil && !made {
			return karbor.Errorf(karbor.Conflict, "there is a trigger %s already", g.ID)
		}
		return err
	})
}

// Trigger gives a trigger of a project, or of any if projectID is "".
func (s *Store) Trigger(ctx context.Context, projectID, id string) (karbor.Trigger, error) {
	return trigger(ctx, s.db, projectID, id, "")
}

// trigger reads a trigger; lock is rows.ForUpdate or "".
func trigger(ctx context.Context, q rows.Queryer, projectID, id, lock string) (karbor.Trigger, error) {
	g, err := rows.One(ctx, q, scanTrigger, "SELECT "+TriggerListing.Columns+
		" FROM triggers WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0"+lock, id, projectID, projectID)
	if err != nil {
		return karbor.Trigger{}, rows.Missing(err, "trigger", id)
	}
	return g, nil
}

// Triggers lists triggers. The error is karbor.Invalid for an unknown sort key or
// marker.
func (s *Store) Triggers(ctx context.Context, f TriggerFilter, p rows.Page) ([]karbor.Trigger, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Part("name", f.Name)
	filter.Equal("type", f.Type)
	for _, part := range f.Properties {
		filter.Part("properties", part)
	}
	return rows.List(ctx, s.db, TriggerListing, scope, filter, p, scanTrigger)
}

// UpdateTrigger changes a trigger: change gets it as it is, and what it leaves is
// kept. An error of change is returned, and changes nothing. Its id, project, type
// and date of creation stay as they are; UpdatedAt is set. change may be called
// more than once. by is the user who does it: where another one has lent their rights to
// a scheduled operation of the trigger, these end with a change of its properties.
func (s *Store) UpdateTrigger(ctx context.Context, projectID, id, by string, change func(*karbor.Trigger) error) (karbor.Trigger, error) {
	var g karbor.Trigger
	now, err := s.db.Moment(ctx)
	if err != nil {
		return g, err
	}
	err = s.db.Write(ctx, "changing the trigger "+id, func(t *rows.Tx) error {
		old, err := trigger(ctx, t, projectID, id, rows.ForUpdate)
		if err != nil {
			return err
		}
		g = old
		if err := change(&g); err != nil {
			return err
		}
		g.ID, g.ProjectID, g.Type, g.CreatedAt = old.ID, old.ProjectID, old.Type, old.CreatedAt
		g.UpdatedAt = s.db.Now().UTC().Truncate(time.Microsecond)
		if g.Properties != old.Properties {
			if err := s.retime(ctx, t, old, g, now); err != nil {
				return err
			}
			if err := Distrust(ctx, t, "trigger", id, by, g.UpdatedAt); err != nil {
				return err
			}
			g.Fault = ""
		}
		if g.Fault != "" {
			// What can't be read stays as it is.
			return t.Exec(ctx, "UPDATE triggers SET name = ?, updated_at = ? WHERE id = ?", g.Name, rows.Micros(g.UpdatedAt), id)
		}
		return t.Exec(ctx, "UPDATE triggers SET name = ?, properties = ?, updated_at = ? WHERE id = ?",
			g.Name, rows.Document(g.Properties), rows.Micros(g.UpdatedAt), id)
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
		found, err := rows.All(ctx, s.db.Once(), scanTrigger, "SELECT "+TriggerListing.Columns+" FROM triggers WHERE id IN ("+rows.Repeated("?", len(part))+")", args...)
		if err != nil {
			return nil, rows.Failed("reading triggers", err)
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
	now := s.db.Now()
	return s.db.Write(ctx, "deleting the trigger "+id, func(t *rows.Tx) error {
		// Who makes a scheduled operation holds this row, too.
		if _, err := trigger(ctx, t, projectID, id, rows.ForUpdate); err != nil {
			return err
		}
		if err := Unscheduled(ctx, t, "trigger", id); err != nil {
			return err
		}
		return t.Exec(ctx, "UPDATE triggers SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?",
			rows.Micros(now), rows.Micros(now), id)
	})
}

func scanTrigger(row *sql.Rows) (karbor.Trigger, error) {
	var g karbor.Trigger
	var properties string
	err := row.Scan(&g.ID, &g.Name, &g.ProjectID, (*string)(&g.Type), &properties, rows.Time(&g.CreatedAt), rows.Time(&g.UpdatedAt))
	if err != nil {
		return g, err
	}
	// One that can't be read does not keep the others from being listed.
	if (rows.Document(&g.Properties)).Scan(properties) != nil {
		g.Properties, g.Fault = karbor.TriggerProperties{}, "its properties can't be read"
	}
	return g, nil
}
