// Package schedules keeps triggers and scheduled operations: when they run, what they run on,
// their runs, and the delegations that users have lent to them.
package schedules

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Options are those of a Store.
type Options struct {
	// Logger gets what an operator should know; needed.
	Logger *slog.Logger
	// Window is how late a run of a trigger may begin that names no window of its own. Runs
	// is how many runs of a scheduled operation are kept that are over.
	Window time.Duration
	Runs   int
}

// Store keeps schedules in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct {
	db     *rows.DB
	logger *slog.Logger
	// window and runs are those of the options.
	window time.Duration
	runs   int
}

// New gives the schedules of a database.
func New(db *rows.DB, o Options) Store {
	return Store{db: db, logger: o.Logger, window: o.Window, runs: o.Runs}
}

// timing is the row of a schedule.
type timing struct {
	karbor.Schedule
	projectID string
	// firedAt is the latest expected time of which there was a run.
	firedAt time.Time
	// pending says that the next time is to be computed.
	pending bool
}

const timingColumns = `scheduled_operation_id, project_id, next_at, due_at, fired_at, paused_until, overlap_policy,
	delegation_kind, delegation_state, delegation_reason, delegation_end, probed_at`

func scanTiming(row *sql.Rows) (timing, error) {
	var v timing
	var due sql.NullInt64
	err := row.Scan(&v.ScheduledOperationID, &v.projectID, rows.Time(&v.NextAt), &due, rows.Time(&v.firedAt),
		rows.Time(&v.PausedUntil), (*string)(&v.Overlap), &v.DelegationKind, (*string)(&v.DelegationState),
		&v.DelegationReason, rows.Time(&v.DelegationEnd), rows.Time(&v.ProbedAt))
	v.pending = due.Valid && due.Int64 == 0
	if due.Valid && due.Int64 != 0 {
		v.DueAt = time.UnixMicro(due.Int64).UTC()
	}
	return v, err
}

// due gives what lies in the column due_at.
func (v timing) due() any {
	if v.pending {
		return int64(0)
	}
	return rows.MicrosOrNull(v.DueAt)
}

// CreateSchedule keeps a new scheduled operation, when it runs next, and the
// delegation that its user has lent; nil for none. The error is karbor.NotFound if its
// project has no such trigger or no such plan, and karbor.Invalid if the plan has
// another provider. CreatedAt and UpdatedAt are filled in if they are zero.
func (s *Store) CreateSchedule(ctx context.Context, o karbor.ScheduledOperation, overlap karbor.OverlapPolicy, lent *Lent) error {
	rows.FillIn(s.db.Now, &o.CreatedAt, &o.UpdatedAt)
	now, err := s.db.Moment(ctx)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, "creating the scheduled operation "+o.ID, func(t *rows.Tx) error {
		g, err := checkUse(ctx, t, o)
		if err == nil {
			err = readable(g)
		}
		if err != nil {
			return err
		}
		if err := insertScheduledOperation(ctx, t, o); err != nil {
			return err
		}
		v := timing{
			Schedule:  karbor.Schedule{ScheduledOperationID: o.ID, Overlap: overlap, DelegationState: karbor.DelegationMissing},
			projectID: o.ProjectID,
			// A time that is now belongs to those to come.
			firedAt: now.Add(-time.Microsecond),
		}
		v.set(s.clock(g), o.Enabled, v.firedAt)
		err = t.Exec(ctx, `INSERT INTO schedules (scheduled_operation_id, project_id, next_at, due_at, fired_at, paused_until,
			overlap_policy, delegation_kind, delegation_state, delegation_reason, deleted) VALUES (?, ?, ?, ?, ?, NULL, ?, '', ?, '', 0)`,
			o.ID, o.ProjectID, rows.MicrosOrNull(v.NextAt), v.due(), rows.Micros(v.firedAt), string(overlap), string(v.DelegationState))
		if err != nil || lent == nil {
			return err
		}
		return s.lend(ctx, t, o.ID, *lent)
	})
}

// Schedules gives the schedules of scheduled operations, by their ids.
func (s *Store) Schedules(ctx context.Context, ids []string) (map[string]karbor.Schedule, error) {
	out := make(map[string]karbor.Schedule, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 100)
		args := make([]any, n)
		for i, id := range ids[:n] {
			args[i] = id
		}
		ids = ids[n:]
		found, err := rows.All(ctx, s.db.Once(), scanTiming, "SELECT "+timingColumns+" FROM schedules WHERE scheduled_operation_id IN ("+rows.Repeated("?", n)+")", args...)
		if err != nil {
			return nil, rows.Failed("reading schedules", err)
		}
		for _, v := range found {
			out[v.ScheduledOperationID] = v.Schedule
		}
	}
	return out, nil
}

// schedule reads the row of a schedule and holds it.
func schedule(ctx context.Context, t *rows.Tx, id string) (timing, error) {
	v, err := rows.One(ctx, t, scanTiming, "SELECT "+timingColumns+" FROM schedules WHERE scheduled_operation_id = ?"+rows.ForUpdate, id)
	if err != nil {
		return v, rows.Missing(err, "schedule", id)
	}
	return v, nil
}

// keep writes what of a schedule tells its times.
func (v timing) keep(ctx context.Context, t *rows.Tx) error {
	return t.Exec(ctx, `UPDATE schedules SET next_at = ?, due_at = ?, fired_at = ?, paused_until = ?, overlap_policy = ?
		WHERE scheduled_operation_id = ?`, rows.MicrosOrNull(v.NextAt), v.due(), rows.Micros(v.firedAt), rows.MicrosOrNull(v.PausedUntil),
		string(v.Overlap), v.ScheduledOperationID)
}

// Change is a scheduled operation with its schedule, to be changed.
type Change struct {
	karbor.ScheduledOperation
	Overlap     karbor.OverlapPolicy
	PausedUntil time.Time
}

// UpdateSchedule changes a scheduled operation: change gets it as it is, and what it
// leaves is kept (but for a Fault, which it must take away together with the definition that
// has it): its name, description, trigger, definition, user, and whether and when it
// runs. Times that have come are run first, as they were. An error of change is
// returned, and changes nothing; change may be called more than once. lent, if any,
// takes the place of the delegation. The errors are those of CreateSchedule.
func (s *Store) UpdateSchedule(ctx context.Context, projectID, id string, lent *Lent, change func(*Change) error) (karbor.ScheduledOperation, error) {
	var o karbor.ScheduledOperation
	now, err := s.db.Moment(ctx)
	if err != nil {
		return o, err
	}
	err = s.db.Write(ctx, "changing the scheduled operation "+id, func(t *rows.Tx) error {
		old, err := scheduledOperation(ctx, t, projectID, id, rows.ForUpdate)
		if err != nil {
			return err
		}
		v, err := schedule(ctx, t, id)
		if err != nil {
			return err
		}
		before, err := trigger(ctx, t, old.ProjectID, old.TriggerID, "")
		if err != nil {
			return err
		}
		if err := s.fire(ctx, t, &v, s.clock(before), old.Enabled, now); err != nil {
			return err
		}
		c := Change{ScheduledOperation: old, Overlap: v.Overlap, PausedUntil: v.PausedUntil}
		if err := change(&c); err != nil {
			return err
		}
		if c.Fault != "" {
			return karbor.Errorf(karbor.Conflict, "the scheduled operation %s can't be changed without a new operation_definition: the one that it has can't be read", id)
		}
		o = c.ScheduledOperation
		o.ID, o.ProjectID, o.OperationType, o.CreatedAt, o.UpdatedAt = old.ID, old.ProjectID, old.OperationType, old.CreatedAt, s.db.Now().UTC().Truncate(time.Microsecond)
		g, err := checkUse(ctx, t, o)
		if err != nil {
			return err
		}
		v.Overlap, v.PausedUntil = c.Overlap, c.PausedUntil
		if g.ID != before.ID {
			if err := readable(g); err != nil {
				return err
			}
			err = v.start(ctx, t, s.clock(g), o.Enabled, now)
		} else {
			v.set(s.clock(g), o.Enabled, now.Add(-time.Microsecond))
		}
		if err != nil {
			return err
		}
		if err := v.keep(ctx, t); err != nil {
			return err
		}
		if err := s.relend(ctx, t, id, lent); err != nil {
			return err
		}
		return t.Exec(ctx, `UPDATE scheduled_operations SET name = ?, description = ?, user_id = ?, trigger_id = ?, plan_id = ?,
			operation_definition = ?, enabled = ?, updated_at = ? WHERE id = ?`, o.Name, o.Description, o.UserID, o.TriggerID,
			o.Definition.PlanID, rows.Document(o.Definition), rows.Truth(o.Enabled), rows.Micros(o.UpdatedAt), id)
	})
	if err != nil {
		return karbor.ScheduledOperation{}, err
	}
	return o, nil
}

// retime computes the next times of all scheduled operations of a trigger that is
// changed. What has come by the old one is run first.
func (s *Store) retime(ctx context.Context, t *rows.Tx, from, to karbor.Trigger, now time.Time) error {
	enabled, err := rows.All(ctx, t, scanEnabled, "SELECT id, enabled FROM scheduled_operations WHERE trigger_id = ? AND deleted = 0 ORDER BY id"+rows.ForUpdate, to.ID)
	if err != nil {
		return err
	}
	old, next := s.clock(from), s.clock(to)
	for _, o := range enabled {
		v, err := schedule(ctx, t, o.id)
		if err != nil {
			return err
		}
		if err := s.fire(ctx, t, &v, old, o.enabled, now); err != nil {
			return err
		}
		if err := v.start(ctx, t, next, o.enabled, now); err != nil {
			return err
		}
		if err := v.keep(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// start computes the next time by another trigger. What was skipped ahead of its time
// stays so by its row; the times before it are not, as they are of another trigger. Of
// none up to a run that was made is there another, even if clocks have gone back.
func (v *timing) start(ctx context.Context, t *rows.Tx, c clock, enabled bool, now time.Time) error {
	after := now.Add(-time.Microsecond)
	if v.firedAt.After(after) {
		made, err := rows.One(ctx, t, rows.Date, `SELECT MAX(expected_at) FROM scheduled_runs WHERE scheduled_operation_id = ?
			AND manual = 0 AND triggered_at IS NOT NULL`, v.ScheduledOperationID)
		if err != nil {
			return err
		}
		if v.firedAt = after; made.After(after) {
			v.firedAt = made
		}
	}
	for v.set(c, enabled, after); !v.NextAt.IsZero(); v.set(c, enabled, v.NextAt) {
		n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM scheduled_runs WHERE scheduled_operation_id = ? AND expected_at = ?",
			v.ScheduledOperationID, rows.Micros(v.NextAt))
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// enabledRow is a scheduled operation, and whether it runs.
type enabledRow struct {
	id      string
	enabled bool
}

func scanEnabled(row *sql.Rows) (enabledRow, error) {
	var v enabledRow
	var enabled int64
	err := row.Scan(&v.id, &enabled)
	v.enabled = enabled != 0
	return v, err
}

// deleteSchedule ends the schedule of a scheduled operation that is deleted.
func deleteSchedule(ctx context.Context, t *rows.Tx, id string, now int64) error {
	if err := giveBack(ctx, t, id, now); err != nil {
		return err
	}
	err := t.Exec(ctx, `UPDATE schedules SET next_at = NULL, due_at = NULL, probe_at = NULL, delegation = NULL, deleted = 1,
		deleted_at = ? WHERE scheduled_operation_id = ?`, now, id)
	if err != nil {
		return err
	}
	err = t.Exec(ctx, `UPDATE scheduled_runs SET state = ?, reason = ?, ended_at = ? WHERE scheduled_operation_id = ? AND state = ?`,
		string(karbor.RunSkipped), "the scheduled operation was deleted", now, id, string(karbor.RunQueued))
	if err != nil {
		return err
	}
	return t.Exec(ctx, "UPDATE scheduled_runs SET deleted = 1, deleted_at = ? WHERE scheduled_operation_id = ?", now, id)
}
