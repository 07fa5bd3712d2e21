package schedules

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
	times "github.com/karbor/karbor/internal/trigger"
)

// clock is when the runs of a trigger are.
type clock struct {
	// schedule is nil of a trigger that can't be read: it never fires.
	schedule       *times.Schedule
	window, jitter time.Duration
}

func (s *Store) clock(g karbor.Trigger) clock {
	c := clock{window: cmp.Or(g.Properties.Window, s.window), jitter: g.Properties.Jitter}
	// What is stored has been checked.
	c.schedule, _ = times.Parse(g.Properties)
	return c
}

// clockOf gives the clock of a row that is due. One whose trigger can't be read never
// fires, and keeps nothing else from it.
func (s *Store) clockOf(ctx context.Context, v *dueRow) clock {
	g := karbor.Trigger{ID: v.trigger}
	if err := (rows.Document(&g.Properties)).Scan(v.text); err != nil {
		s.logger.ErrorContext(ctx, "a trigger can't be read; what it fires does not run until it is replaced", "trigger", v.trigger,
			"scheduled_operation", v.ScheduledOperationID, "error", err)
		return clock{}
	}
	return s.clock(g)
}

// set computes the next time: the first one after a time, after the last run, and not
// in a pause.
func (v *timing) set(c clock, enabled bool, after time.Time) {
	v.NextAt, v.DueAt, v.pending = time.Time{}, time.Time{}, false
	if !enabled || c.schedule == nil {
		return
	}
	if after.Before(v.firedAt) {
		after = v.firedAt
	}
	if end := v.PausedUntil.Add(-time.Microsecond); !v.PausedUntil.IsZero() && after.Before(end) {
		after = end
	}
	if next, ok := c.schedule.Next(after); ok {
		v.NextAt, v.DueAt = next, next.Add(karbor.Share(v.ScheduledOperationID, c.jitter))
	}
}

// mostFired is how many times of one scheduled operation are looked at in one
// transaction, and fireBatch how many scheduled operations: what is left is due still.
const (
	mostFired = 1000
	fireBatch = 250
)

// fire makes the runs that are due now, and computes the next time. One whose window
// is over, or whose trigger can't be read, is dropped; of those only as many are written as are kept.
func (s *Store) fire(ctx context.Context, t *rows.Tx, v *timing, c clock, enabled bool, now time.Time, turns ...int64) error {
	if v.pending {
		v.set(c, enabled, now.Add(-time.Microsecond))
		return nil
	}
	var late []time.Time
	for n := 0; !v.DueAt.IsZero() && !v.DueAt.After(now) && n < mostFired; n++ {
		if until := v.DueAt.Add(c.window); until.Before(now) || c.schedule == nil {
			late = append(late, v.NextAt)
			if len(late) > s.runs {
				late = late[1:]
			}
		} else if err := insertRun(ctx, t, v, v.NextAt, until, now, turns); err != nil {
			return err
		}
		v.firedAt = v.NextAt
		v.set(c, enabled, v.firedAt)
	}
	for _, at := range late {
		if err := insertDropped(ctx, t, v, at, now, c.whyLate()); err != nil {
			return err
		}
	}
	if len(late) == 0 {
		return nil
	}
	return s.prune(ctx, t, v.ScheduledOperationID)
}

const insertRunText = `INSERT INTO scheduled_runs (id, scheduled_operation_id, project_id, expected_at, manual, state, turn, until_at,
	try_at, owner, claim, leased_until, triggered_at, ended_at, checkpoint_id, reason, deleted)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, ?, ?, '', ?, 0)`

func insertRun(ctx context.Context, t *rows.Tx, v *timing, expected, until, now time.Time, turns []int64) error {
	turn := int64(0)
	if len(turns) > 0 {
		turn = turns[0]
	}
	// One that is there already is that of the same time.
	_, err := t.Insert(ctx, insertRunText, karbor.RunID(v.ScheduledOperationID, expected), v.ScheduledOperationID, v.projectID,
		rows.Micros(expected), 0, string(karbor.RunQueued), turn, rows.Micros(until), rows.Micros(now), rows.Micros(now), nil, "")
	return err
}

// whyLate is why a run was dropped that nobody saw in time.
func (c clock) whyLate() string {
	if c.schedule == nil {
		return "its trigger can't be read; replace the trigger's properties"
	}
	return notRunning
}

const notRunning = "no operation engine was running within its window"

func insertDropped(ctx context.Context, t *rows.Tx, v *timing, expected, now time.Time, why string) error {
	_, err := t.Insert(ctx, insertRunText, karbor.RunID(v.ScheduledOperationID, expected), v.ScheduledOperationID, v.projectID,
		rows.Micros(expected), 0, string(karbor.RunDropped), 0, nil, 0, rows.Micros(now), rows.Micros(now), why)
	return err
}

// dueRow is a schedule that is due, with what tells its times.
type dueRow struct {
	timing
	enabled bool
	trigger string
	text    string
}

func scanDue(row *sql.Rows) (dueRow, error) {
	var v dueRow
	var due, enabled int64
	err := row.Scan(&v.ScheduledOperationID, &v.projectID, rows.Time(&v.NextAt), &due, rows.Time(&v.firedAt),
		rows.Time(&v.PausedUntil), (*string)(&v.Overlap), &enabled, &v.trigger, &v.text)
	v.enabled = enabled != 0
	if v.pending = due == 0; !v.pending {
		v.DueAt = time.UnixMicro(due).UTC()
	}
	return v, err
}

// Fire makes the runs that are due at a time, of some scheduled operations, and
// computes their next times. It gives how many scheduled operations those were, and
// whether there may be more to do.
func (s *Store) Fire(ctx context.Context, now time.Time) (fired int, more bool, err error) {
	if due, err := s.any(ctx, "SELECT 1 FROM schedules WHERE due_at <= ? LIMIT 1", rows.Micros(now)); err != nil || !due {
		return 0, false, rows.Failed("looking for triggers that are due", err)
	}
	err = s.db.Write(ctx, "firing the triggers that are due", func(t *rows.Tx) error {
		due, err := rows.All(ctx, t, scanDue, `SELECT s.scheduled_operation_id, s.project_id, s.next_at, s.due_at, s.fired_at, s.paused_until,
			s.overlap_policy, o.enabled, o.trigger_id, g.properties FROM schedules s
			JOIN scheduled_operations o ON o.id = s.scheduled_operation_id JOIN triggers g ON g.id = o.trigger_id
			WHERE s.due_at <= ? ORDER BY s.due_at, s.scheduled_operation_id LIMIT ?`+rows.ForUpdate, rows.Micros(now), fireBatch)
		if err != nil {
			return err
		}
		fired, more = len(due), len(due) == fireBatch
		clocks := map[string]clock{}
		turns := map[string]int64{}
		for i := range due {
			v := &due[i]
			c, known := clocks[v.trigger]
			if !known {
				c = s.clockOf(ctx, v)
				clocks[v.trigger] = c
			}
			if err := s.fire(ctx, t, &v.timing, c, v.enabled, now, turns[v.projectID]); err != nil {
				return err
			}
			turns[v.projectID]++
			more = more || !v.DueAt.IsZero() && !v.DueAt.After(now)
			if err := v.keep(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	return fired, more, err
}

// any reports whether a SELECT gives a row. It spares most looks a transaction.
func (s *Store) any(ctx context.Context, query string, args ...any) (bool, error) {
	found, err := rows.All(ctx, s.db, rows.Int, query, args...)
	return len(found) > 0, err
}

// NextDue gives when, after a time, the next scheduled operation is due, or the next
// run that waits is to be tried; zero for never.
func (s *Store) NextDue(ctx context.Context, after time.Time) (time.Time, error) {
	found, err := rows.All(ctx, s.db, rows.Date, `SELECT MIN(due_at) FROM schedules WHERE due_at > ?
		UNION ALL SELECT MIN(try_at) FROM scheduled_runs WHERE state = ? AND try_at > ?`, rows.Micros(after), string(karbor.RunQueued), rows.Micros(after))
	if err != nil {
		return time.Time{}, rows.Failed("reading when something is due", err)
	}
	found = slices.DeleteFunc(found, time.Time.IsZero)
	if len(found) == 0 {
		return time.Time{}, nil
	}
	return slices.MinFunc(found, time.Time.Compare), nil
}

// prune removes the oldest runs of a scheduled operation that are over, beyond those
// that are kept.
func (s *Store) prune(ctx context.Context, t *rows.Tx, id string) error {
	old, err := rows.All(ctx, t, rows.Text, `SELECT id FROM scheduled_runs WHERE scheduled_operation_id = ? AND ended_at IS NOT NULL
		ORDER BY expected_at DESC LIMIT 1000 OFFSET ?`, id, s.runs)
	for _, run := range old {
		if err == nil {
			err = t.Exec(ctx, "DELETE FROM scheduled_run_operations WHERE run_id = ?", run)
		}
		if err == nil {
			err = t.Exec(ctx, "DELETE FROM scheduled_runs WHERE id = ?", run)
		}
	}
	return err
}
