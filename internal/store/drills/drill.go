// Package drills keeps restore drills, what happens in them, and their evidence.
package drills

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps drills in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the drills of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Listing is how drills are listed.
var Listing = rows.Listing{
	What:  "drill",
	Table: "drills",
	Columns: "id, project_id, provider_id, checkpoint_id, plan_id, probes, mapping, status, verdict, reason, recovery, " +
		"resources, created_at, updated_at",
	Keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "checkpoint_id": "checkpoint_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed: []string{"status", "updated_at"},
}

// Filter narrows a list of drills down. Empty members ask for nothing.
type Filter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// CheckpointID, PlanID, Status and Verdict are those of the drills.
	CheckpointID, PlanID, Status, Verdict string
}

// Drill gives a drill of a project, or of any if projectID is "".
func (s *Store) Drill(ctx context.Context, projectID, id string) (karbor.Drill, error) {
	d, err := rows.One(ctx, s.db, scan, "SELECT "+Listing.Columns+
		" FROM drills WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return karbor.Drill{}, rows.Missing(err, "drill", id)
	}
	return d, nil
}

// Drills lists drills. The error is karbor.Invalid for an unknown sort key or marker.
func (s *Store) Drills(ctx context.Context, f Filter, p rows.Page) ([]karbor.Drill, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Add("deleted = 0")
	filter.Equal("checkpoint_id", f.CheckpointID)
	filter.Equal("plan_id", f.PlanID)
	filter.Equal("status", f.Status)
	filter.Equal("verdict", f.Verdict)
	return rows.List(ctx, s.db, Listing, scope, filter, p, scan)
}

// DrillEvidence gives the signed record of a drill, as JSON whose members may be in another
// order than they were signed in; nil while there is none.
func (s *Store) DrillEvidence(ctx context.Context, projectID, id string) (json.RawMessage, error) {
	text, err := rows.One(ctx, s.db, func(row *sql.Rows) (*string, error) {
		var text *string
		return text, row.Scan(&text)
	}, "SELECT evidence FROM drills WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0", id, projectID, projectID)
	if err != nil {
		return nil, rows.Missing(err, "drill", id)
	}
	if text == nil || *text == "null" {
		return nil, nil
	}
	return json.RawMessage(*text), nil
}

// DeleteDrill deletes the record of a drill that is over. One that runs is karbor.Conflict.
func (s *Store) DeleteDrill(ctx context.Context, projectID, id string) error {
	return s.db.Write(ctx, "deleting the drill "+id, func(t *rows.Tx) error {
		d, err := rows.One(ctx, t, scan, "SELECT "+Listing.Columns+
			" FROM drills WHERE id = ? AND (project_id = ? OR ? = '') AND deleted = 0"+rows.ForUpdate, id, projectID, projectID)
		if err != nil {
			return rows.Missing(err, "drill", id)
		}
		if d.Status == karbor.DrillRunning {
			return karbor.Errorf(karbor.Conflict, "the drill %s runs; it can be deleted when it is over", id)
		}
		now := rows.Micros(s.db.Now())
		return t.Exec(ctx, "UPDATE drills SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?", now, now, id)
	})
}

// LastDrills gives the newest drills of checkpoints of a provider that are over, by the ids of the
// checkpoints. One without is missing.
func (s *Store) LastDrills(ctx context.Context, providerID string, ids []string) (map[string]karbor.LastDrill, error) {
	out := map[string]karbor.LastDrill{}
	if len(ids) == 0 {
		return out, nil
	}
	args := []any{providerID, string(karbor.DrillRunning)}
	for _, id := range ids {
		args = append(args, id)
	}
	args = append(args, string(karbor.DrillRunning))
	found, err := rows.All(ctx, s.db.Once(), scan, "SELECT "+Listing.Columns+` FROM drills WHERE provider_id = ? AND deleted = 0
		AND status <> ? AND checkpoint_id IN (`+rows.Repeated("?", len(ids))+`) AND NOT EXISTS (SELECT 1 FROM drills o
		WHERE o.checkpoint_id = drills.checkpoint_id AND o.provider_id = drills.provider_id AND o.deleted = 0 AND o.status <> ?
		AND (o.created_at > drills.created_at OR o.created_at = drills.created_at AND o.id > drills.id))`, args...)
	for _, d := range found {
		out[d.CheckpointID] = lastDrill(d)
	}
	return out, rows.Failed("reading the last drills of checkpoints", err)
}

func lastDrill(d karbor.Drill) karbor.LastDrill {
	return karbor.LastDrill{DrillID: d.ID, At: d.UpdatedAt, Verdict: d.Verdict, Recovery: d.Recovery, Resources: d.Resources}
}

// Add keeps a new drill, if no more than limit are to run in its project at a time;
// a negative limit is none. Beyond it, it is karbor.OverLimit.
func Add(ctx context.Context, t *rows.Tx, d *karbor.Drill, limit int64) error {
	// Whoever else accepts one for the project waits here.
	if err := ledger.Hold(ctx, t, d.ProjectID, ledger.QuotaCheckpoints); err != nil {
		return err
	}
	running, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM drills WHERE project_id = ? AND deleted = 0 AND status = ?",
		d.ProjectID, string(karbor.DrillRunning))
	if err != nil {
		return err
	}
	if limit >= 0 && running >= limit {
		return karbor.Errorf(karbor.OverLimit, "the quota of drills does not suffice: %d may run at a time, and %d do", limit, running)
	}
	err = t.Exec(ctx, `INSERT INTO drills (id, project_id, provider_id, checkpoint_id, plan_id, probes, mapping, status, verdict,
		reason, recovery, resources, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		d.ID, d.ProjectID, d.ProviderID, d.CheckpointID, d.PlanID, rows.Document(d.Probes), rows.Document(d.Mapping), string(d.Status),
		string(d.Verdict), d.Reason, d.Recovery.Microseconds(), rows.Document(d.Resources), rows.Micros(d.CreatedAt), rows.Micros(d.UpdatedAt))
	if rows.IsDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is a drill %s already", d.ID)
	}
	return err
}

// Drilled is how a drill ended.
type Drilled struct {
	Status    karbor.DrillStatus
	Verdict   karbor.DrillVerdict
	Reason    string
	Recovery  time.Duration
	Resources map[string]karbor.DrilledResource
	// Evidence is its signed record.
	Evidence json.RawMessage
}

// End keeps how a drill, which has the id of its operation, has ended.
func End(ctx context.Context, t *rows.Tx, id string, d *Drilled, now int64) error {
	err := t.Exec(ctx, `UPDATE drills SET status = ?, verdict = ?, reason = ?, recovery = ?, resources = ?, evidence = ?,
		updated_at = ? WHERE id = ?`, string(d.Status), string(d.Verdict), d.Reason, d.Recovery.Microseconds(),
		rows.Document(d.Resources), rows.Document(d.Evidence), now, id)
	if err != nil {
		return err
	}
	return t.Exec(ctx, "DELETE FROM drill_events WHERE drill_id = ?", id)
}

func scan(row *sql.Rows) (karbor.Drill, error) {
	var d karbor.Drill
	var recovery int64
	err := row.Scan(&d.ID, &d.ProjectID, &d.ProviderID, &d.CheckpointID, &d.PlanID, rows.Document(&d.Probes), rows.Document(&d.Mapping),
		(*string)(&d.Status), (*string)(&d.Verdict), &d.Reason, &recovery, rows.Document(&d.Resources),
		rows.Time(&d.CreatedAt), rows.Time(&d.UpdatedAt))
	d.Recovery = time.Duration(recovery) * time.Microsecond
	return d, err
}

// Event is something that happened in a drill to one resource: a hook or a probe.
type Event struct {
	// Position is the place of the resource in the operation's graph.
	Position int
	// Name is that of the hook, or "probe:" and that of the probe.
	Name      string
	StartedAt time.Time
	// EndedAt is zero while it is not over.
	EndedAt time.Time
	// Result, Target, Origin and Reason are a probe's: what it found, of what, from where it
	// looked, and why.
	Result, Target, Origin, Reason string
}

// DrillEvents gives what has happened in a drill, in the order of the resources.
func (s *Store) DrillEvents(ctx context.Context, id string) ([]Event, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (Event, error) {
		var e Event
		err := row.Scan(&e.Position, &e.Name, rows.Time(&e.StartedAt), rows.Time(&e.EndedAt), &e.Result, &e.Target, &e.Origin, &e.Reason)
		return e, err
	}, `SELECT position, name, started_at, ended_at, result, target, origin, reason FROM drill_events WHERE drill_id = ?
		ORDER BY position, started_at, name`, id)
	return found, rows.Failed("reading what happened in the drill "+id, err)
}

var putEvent = `INSERT INTO drill_events (drill_id, position, name, started_at, ended_at, result, target, origin, reason)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)` + rows.Upsert("drill_id, position, name", "ended_at", "result", "target", "origin", "reason")

// PutDrillEvent keeps what happens in a drill. Of an event that is known the start stays:
// what a crash has cut off began then.
func (s *Store) PutDrillEvent(ctx context.Context, id string, e Event) error {
	return s.db.Write(ctx, "recording what happens in the drill "+id, func(t *rows.Tx) error {
		if err := operations.Claimed(ctx, t); err != nil {
			return err
		}
		return t.Exec(ctx, putEvent, id, e.Position, e.Name, rows.Micros(e.StartedAt), rows.MicrosOrNull(e.EndedAt), e.Result, e.Target, e.Origin, e.Reason)
	})
}
