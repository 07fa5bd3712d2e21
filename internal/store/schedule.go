package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Lent is a delegation that a user has lent to a scheduled operation.
type Lent struct {
	// Sealed is sealed by who made it.
	Sealed []byte
	// Kind is karbor.DelegationTrust or karbor.DelegationCredential.
	Kind string
	// End is when it ends by itself; zero for never.
	End time.Time
	// Lending is that of BeginLending, which is over when the delegation is kept; "" for
	// none.
	Lending string
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

func scanTiming(rows *sql.Rows) (timing, error) {
	var v timing
	var due sql.NullInt64
	err := rows.Scan(&v.ScheduledOperationID, &v.projectID, timeColumn{&v.NextAt}, &due, timeColumn{&v.firedAt},
		timeColumn{&v.PausedUntil}, (*string)(&v.Overlap), &v.DelegationKind, (*string)(&v.DelegationState),
		&v.DelegationReason, timeColumn{&v.DelegationEnd}, timeColumn{&v.ProbedAt})
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
	return microsOrNull(v.DueAt)
}

// CreateSchedule keeps a new scheduled operation, when it runs next, and the
// delegation that its user has lent; nil for none. The error is karbor.NotFound if its
// project has no such trigger or no such plan, and karbor.Invalid if the plan has
// another provider. CreatedAt and UpdatedAt are filled in if they are zero.
func (s *Store) CreateSchedule(ctx context.Context, o karbor.ScheduledOperation, overlap karbor.OverlapPolicy, lent *Lent) error {
	s.fillIn(&o.CreatedAt, &o.UpdatedAt)
	now, err := s.moment(ctx)
	if err != nil {
		return err
	}
	return s.write(ctx, "creating the scheduled operation "+o.ID, func(t *transaction) error {
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
		err = t.exec(ctx, `INSERT INTO schedules (scheduled_operation_id, project_id, next_at, due_at, fired_at, paused_until,
			overlap_policy, delegation_kind, delegation_state, delegation_reason, deleted) VALUES (?, ?, ?, ?, ?, NULL, ?, '', ?, '', 0)`,
			o.ID, o.ProjectID, microsOrNull(v.NextAt), v.due(), micros(v.firedAt), string(overlap), string(v.DelegationState))
		if err != nil || lent == nil {
			return err
		}
		return s.lend(ctx, t, o.ID, *lent)
	})
}

// lend keeps a delegation, which has just been seen to work.
func (s *Store) lend(ctx context.Context, t *transaction, id string, l Lent) error {
	if l.Lending != "" {
		// One that was given up meanwhile may be looked for now: then the delegation is lost.
		n, err := t.changed(ctx, "DELETE FROM lendings WHERE id = ?", l.Lending)
		if err == nil && n == 0 {
			err = karbor.Transientf("the trust took too long to be made")
		}
		if err != nil {
			return err
		}
	}
	now := micros(s.now())
	return t.exec(ctx, `UPDATE schedules SET delegation = ?, delegation_kind = ?, delegation_state = ?, delegation_reason = '',
		delegation_end = ?, probed_at = ?, probe_at = ? WHERE scheduled_operation_id = ?`, sealed(l.Sealed), l.Kind,
		string(karbor.DelegationGood), microsOrNull(l.End), now, now+firstProbe.Microseconds(), id)
}

// firstProbe is when a delegation is tried again that has just been made.
const firstProbe = time.Hour

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
		found, err := all(ctx, unprepared{s.reader}, scanTiming, "SELECT "+timingColumns+" FROM schedules WHERE scheduled_operation_id IN (?"+
			strings.Repeat(", ?", n-1)+")", args...)
		if err != nil {
			return nil, failed("reading schedules", err)
		}
		for _, v := range found {
			out[v.ScheduledOperationID] = v.Schedule
		}
	}
	return out, nil
}

// schedule reads the row of a schedule and holds it.
func schedule(ctx context.Context, t *transaction, id string) (timing, error) {
	v, err := one(ctx, t, scanTiming, "SELECT "+timingColumns+" FROM schedules WHERE scheduled_operation_id = ?"+forUpdate, id)
	if err != nil {
		return v, missing(err, "schedule", id)
	}
	return v, nil
}

// keep writes what of a schedule tells its times.
func (v timing) keep(ctx context.Context, t *transaction) error {
	return t.exec(ctx, `UPDATE schedules SET next_at = ?, due_at = ?, fired_at = ?, paused_until = ?, overlap_policy = ?
		WHERE scheduled_operation_id = ?`, microsOrNull(v.NextAt), v.due(), micros(v.firedAt), microsOrNull(v.PausedUntil),
		string(v.Overlap), v.ScheduledOperationID)
}

// ScheduleChange is a scheduled operation with its schedule, to be changed.
type ScheduleChange struct {
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
func (s *Store) UpdateSchedule(ctx context.Context, projectID, id string, lent *Lent, change func(*ScheduleChange) error) (karbor.ScheduledOperation, error) {
	var o karbor.ScheduledOperation
	now, err := s.moment(ctx)
	if err != nil {
		return o, err
	}
	err = s.write(ctx, "changing the scheduled operation "+id, func(t *transaction) error {
		old, err := scheduledOperation(ctx, t, projectID, id, forUpdate)
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
		c := ScheduleChange{ScheduledOperation: old, Overlap: v.Overlap, PausedUntil: v.PausedUntil}
		if err := change(&c); err != nil {
			return err
		}
		if c.Fault != "" {
			return karbor.Errorf(karbor.Conflict, "the scheduled operation %s can't be changed without a new operation_definition: the one that it has can't be read", id)
		}
		o = c.ScheduledOperation
		o.ID, o.ProjectID, o.OperationType, o.CreatedAt, o.UpdatedAt = old.ID, old.ProjectID, old.OperationType, old.CreatedAt, s.now().UTC().Truncate(time.Microsecond)
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
		return t.exec(ctx, `UPDATE scheduled_operations SET name = ?, description = ?, user_id = ?, trigger_id = ?, plan_id = ?,
			operation_definition = ?, enabled = ?, updated_at = ? WHERE id = ?`, o.Name, o.Description, o.UserID, o.TriggerID,
			o.Definition.PlanID, document{o.Definition}, truth(o.Enabled), micros(o.UpdatedAt), id)
	})
	if err != nil {
		return karbor.ScheduledOperation{}, err
	}
	return o, nil
}

// relend puts a delegation in the place of the one that is there.
func (s *Store) relend(ctx context.Context, t *transaction, id string, lent *Lent) error {
	if lent == nil {
		return nil
	}
	if err := giveBack(ctx, t, id, micros(s.now())); err != nil {
		return err
	}
	return s.lend(ctx, t, id, *lent)
}

// retime computes the next times of all scheduled operations of a trigger that is
// changed. What has come by the old one is run first.
func (s *Store) retime(ctx context.Context, t *transaction, from, to karbor.Trigger, now time.Time) error {
	enabled, err := all(ctx, t, scanEnabled, "SELECT id, enabled FROM scheduled_operations WHERE trigger_id = ? AND deleted = 0 ORDER BY id"+forUpdate, to.ID)
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
func (v *timing) start(ctx context.Context, t *transaction, c clock, enabled bool, now time.Time) error {
	after := now.Add(-time.Microsecond)
	if v.firedAt.After(after) {
		made, err := one(ctx, t, scanNullTime, `SELECT MAX(expected_at) FROM scheduled_runs WHERE scheduled_operation_id = ?
			AND manual = 0 AND triggered_at IS NOT NULL`, v.ScheduledOperationID)
		if err != nil {
			return err
		}
		if v.firedAt = after; made.After(after) {
			v.firedAt = made
		}
	}
	for v.set(c, enabled, after); !v.NextAt.IsZero(); v.set(c, enabled, v.NextAt) {
		n, err := one(ctx, t, scanInt, "SELECT COUNT(*) FROM scheduled_runs WHERE scheduled_operation_id = ? AND expected_at = ?",
			v.ScheduledOperationID, micros(v.NextAt))
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

func scanEnabled(rows *sql.Rows) (enabledRow, error) {
	var v enabledRow
	var enabled int64
	err := rows.Scan(&v.id, &enabled)
	v.enabled = enabled != 0
	return v, err
}

// deleteSchedule ends the schedule of a scheduled operation that is deleted.
func deleteSchedule(ctx context.Context, t *transaction, id string, now int64) error {
	if err := giveBack(ctx, t, id, now); err != nil {
		return err
	}
	err := t.exec(ctx, `UPDATE schedules SET next_at = NULL, due_at = NULL, probe_at = NULL, delegation = NULL, deleted = 1,
		deleted_at = ? WHERE scheduled_operation_id = ?`, now, id)
	if err != nil {
		return err
	}
	err = t.exec(ctx, `UPDATE scheduled_runs SET state = ?, reason = ?, ended_at = ? WHERE scheduled_operation_id = ? AND state = ?`,
		string(karbor.RunSkipped), "the scheduled operation was deleted", now, id, string(karbor.RunQueued))
	if err != nil {
		return err
	}
	return t.exec(ctx, "UPDATE scheduled_runs SET deleted = 1, deleted_at = ? WHERE scheduled_operation_id = ?", now, id)
}

// giveBack puts a schedule's delegation, if there is one, into the list of those to be
// given back.
func giveBack(ctx context.Context, t *transaction, id string, now int64) error {
	return t.exec(ctx, `INSERT INTO returned_delegations (id, scheduled_operation_id, delegation, try_at)
		SELECT ?, scheduled_operation_id, delegation, ? FROM schedules WHERE scheduled_operation_id = ? AND delegation IS NOT NULL`,
		karbor.NewID(), now, id)
}

// ReturnedDelegation is one that no scheduled operation uses any more.
type ReturnedDelegation struct {
	ID, ScheduledOperationID string
	// Sealed is nil of one that can't be read any more.
	Sealed []byte
}

// ReturnedDelegations gives some of those that are to be given back now: no run that
// may use them goes on, and no operation of the scheduled operation, such as the
// deletions after its runs, nor is anything left in the cloud to be removed by one.
func (s *Store) ReturnedDelegations(ctx context.Context, now time.Time, limit int) ([]ReturnedDelegation, error) {
	found, err := all(ctx, s.reader, scanReturned, `SELECT id, scheduled_operation_id, delegation FROM returned_delegations d
		WHERE try_at <= ? AND NOT EXISTS (SELECT 1 FROM scheduled_runs r WHERE r.scheduled_operation_id = d.scheduled_operation_id
		AND (r.state = ? OR r.state = ? AND r.owner <> ''))
		AND NOT EXISTS (SELECT 1 FROM operations p JOIN operation_logs l ON l.id = p.log_id WHERE p.ended_at IS NULL
		AND p.delegation IS NOT NULL AND l.scheduled_operation_id = d.scheduled_operation_id)
		AND NOT EXISTS (SELECT 1 FROM leftovers f JOIN operations p ON p.id = f.operation_id JOIN operation_logs l ON l.id = p.log_id
		WHERE p.delegation IS NOT NULL AND l.scheduled_operation_id = d.scheduled_operation_id) ORDER BY try_at, id LIMIT ?`, micros(now), string(karbor.RunRunning),
		string(karbor.RunQueued), limit)
	return found, failed("listing the delegations to give back", err)
}

// GaveBack forgets a returned delegation, or, with a time, has it tried again then.
func (s *Store) GaveBack(ctx context.Context, id string, again time.Time) error {
	return s.write(ctx, "noting a delegation that was given back", func(t *transaction) error {
		if again.IsZero() {
			return t.exec(ctx, "DELETE FROM returned_delegations WHERE id = ?", id)
		}
		return t.exec(ctx, "UPDATE returned_delegations SET try_at = ? WHERE id = ?", micros(again), id)
	})
}

func scanReturned(rows *sql.Rows) (ReturnedDelegation, error) {
	var v ReturnedDelegation
	var text string
	err := rows.Scan(&v.ID, &v.ScheduledOperationID, &text)
	v.Sealed = unsealable(text)
	return v, err
}
