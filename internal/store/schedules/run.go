package schedules

import (
	"context"
	"database/sql"
	"encoding/base64"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

var runListing = rows.Listing{
	What:  "run",
	Table: "scheduled_runs",
	Columns: "id, scheduled_operation_id, project_id, expected_at, manual, state, triggered_at, started_at, ended_at, " +
		"checkpoint_id, reason",
	Keys: map[string]string{"expected_at": "expected_at", "id": "id"},
}

// ScheduledRuns gives the runs of a scheduled operation, the newest first.
func (s *Store) ScheduledRuns(ctx context.Context, scheduledOperationID string) ([]karbor.ScheduledRun, error) {
	found, err := rows.All(ctx, s.db, scanRun, "SELECT "+runListing.Columns+` FROM scheduled_runs WHERE scheduled_operation_id = ?
		ORDER BY expected_at DESC LIMIT ?`, scheduledOperationID, rows.MaxLimit)
	if err == nil {
		err = s.withOperations(ctx, scheduledOperationID, found)
	}
	return found, rows.Failed("listing the runs of the scheduled operation "+scheduledOperationID, err)
}

func scanRun(row *sql.Rows) (karbor.ScheduledRun, error) {
	var r karbor.ScheduledRun
	var manual int64
	err := row.Scan(&r.ID, &r.ScheduledOperationID, &r.ProjectID, rows.Time(&r.ExpectedAt), &manual, (*string)(&r.State),
		rows.Time(&r.TriggeredAt), rows.Time(&r.StartedAt), rows.Time(&r.EndedAt), &r.CheckpointID, &r.Reason)
	r.Manual = manual != 0
	return r, err
}

// RunNow makes a run of a scheduled operation that begins at once, whatever its
// trigger says. The error is karbor.Conflict if one waits or goes on.
func (s *Store) RunNow(ctx context.Context, projectID, id string) (karbor.ScheduledRun, error) {
	var run karbor.ScheduledRun
	now, err := s.db.Moment(ctx)
	if err != nil {
		return run, err
	}
	err = s.db.Write(ctx, "running the scheduled operation "+id, func(t *rows.Tx) error {
		o, err := scheduledOperation(ctx, t, projectID, id, rows.ForUpdate)
		if err != nil {
			return err
		}
		n, err := openRuns(ctx, t, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return karbor.Errorf(karbor.Conflict, "a run of the scheduled operation %s is not over yet", id)
		}
		run = karbor.ScheduledRun{
			ID: karbor.RunID(id, now), ScheduledOperationID: id, ProjectID: o.ProjectID, ExpectedAt: now, Manual: true,
			State: karbor.RunQueued, TriggeredAt: now,
		}
		made, err := t.Insert(ctx, insertRunText, run.ID, id, o.ProjectID, rows.Micros(now), 1, string(run.State), 0,
			rows.Micros(now.Add(s.window)), rows.Micros(now), rows.Micros(now), nil, "")
		if err == nil && !made {
			return karbor.Transientf("another run has the same time")
		}
		return err
	})
	return run, err
}

func openRuns(ctx context.Context, t *rows.Tx, id string) (int64, error) {
	return rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM scheduled_runs WHERE scheduled_operation_id = ? AND state IN (?, ?)",
		id, string(karbor.RunQueued), string(karbor.RunRunning))
}

// SkipNext leaves the next run of a scheduled operation out, and gives it. The error is
// karbor.Conflict if there is none.
func (s *Store) SkipNext(ctx context.Context, projectID, id, reason string) (karbor.ScheduledRun, error) {
	var run karbor.ScheduledRun
	now, err := s.db.Moment(ctx)
	if err != nil {
		return run, err
	}
	err = s.db.Write(ctx, "leaving a run of the scheduled operation "+id+" out", func(t *rows.Tx) error {
		o, err := scheduledOperation(ctx, t, projectID, id, rows.ForUpdate)
		if err != nil {
			return err
		}
		v, err := schedule(ctx, t, id)
		if err != nil {
			return err
		}
		g, err := trigger(ctx, t, o.ProjectID, o.TriggerID, "")
		if err != nil {
			return err
		}
		c := s.clock(g)
		if err := s.fire(ctx, t, &v, c, o.Enabled, now); err != nil {
			return err
		}
		if v.NextAt.IsZero() {
			return karbor.Errorf(karbor.Conflict, "the scheduled operation %s has no next run", id)
		}
		run = karbor.ScheduledRun{
			ID: karbor.RunID(id, v.NextAt), ScheduledOperationID: id, ProjectID: o.ProjectID, ExpectedAt: v.NextAt,
			State: karbor.RunSkipped, EndedAt: now, Reason: reason,
		}
		_, err = t.Insert(ctx, insertRunText, run.ID, id, o.ProjectID, rows.Micros(run.ExpectedAt), 0, string(run.State), 0,
			nil, 0, nil, rows.Micros(now), reason)
		if err != nil {
			return err
		}
		v.firedAt = v.NextAt
		v.set(c, o.Enabled, v.firedAt)
		if err := v.keep(ctx, t); err != nil {
			return err
		}
		return s.prune(ctx, t, id)
	})
	return run, err
}

// RunClaim is the right of one node to begin, or to end, a run.
type RunClaim struct {
	RunID string
	// Owner has it, and Number tells it from earlier ones.
	Owner  string
	Number int64
	// Until is when it ends.
	Until time.Time
}

// ClaimedRun is a run with all that is needed to do it.
type ClaimedRun struct {
	karbor.ScheduledRun
	Claim     RunClaim
	Operation karbor.ScheduledOperation
	// Delegation is sealed by who made it; nil if there is none.
	Delegation []byte
	// DropAt is when it is dropped if it has not begun by then; zero for never.
	DropAt time.Time
	// Status and ErrorInfo are those of its operation's log, once it is over.
	Status    karbor.LogStatus
	ErrorInfo string

	overlap karbor.OverlapPolicy
	enabled bool
	// unreadable is why what lies in its row can't be understood.
	unreadable error
}

const claimedColumns = `r.id, r.scheduled_operation_id, r.project_id, r.expected_at, r.manual, r.state, r.triggered_at, r.started_at,
	r.ended_at, r.checkpoint_id, r.reason, r.claim, r.until_at, s.overlap_policy, s.delegation, o.name, o.operation_type, o.user_id,
	o.trigger_id, o.operation_definition, o.enabled`

func scanClaimed(row *sql.Rows, more ...any) (ClaimedRun, error) {
	var r ClaimedRun
	var manual, enabled int64
	var delegation sql.NullString
	var definition string
	err := row.Scan(append([]any{&r.ID, &r.ScheduledOperationID, &r.ProjectID, rows.Time(&r.ExpectedAt), &manual, (*string)(&r.State),
		rows.Time(&r.TriggeredAt), rows.Time(&r.StartedAt), rows.Time(&r.EndedAt), &r.CheckpointID, &r.Reason, &r.Claim.Number,
		rows.Time(&r.DropAt), (*string)(&r.overlap), &delegation, &r.Operation.Name, (*string)(&r.Operation.OperationType),
		&r.Operation.UserID, &r.Operation.TriggerID, &definition, &enabled}, more...)...)
	r.Manual, r.enabled, r.Operation.Enabled = manual != 0, enabled != 0, enabled != 0
	r.Operation.ID, r.Operation.ProjectID = r.ScheduledOperationID, r.ProjectID
	if err != nil {
		return r, err
	}
	// A row that can't be understood does not keep the others from being run.
	r.unreadable = (rows.Document(&r.Operation.Definition)).Scan(definition)
	if r.unreadable == nil && delegation.Valid {
		r.Delegation, r.unreadable = base64.StdEncoding.DecodeString(delegation.String)
	}
	return r, nil
}

// setAside ends a run whose row can't be understood.
func (s *Store) setAside(ctx context.Context, t *rows.Tx, r *ClaimedRun, now time.Time) error {
	s.logger.ErrorContext(ctx, "a run has ended in error, as its scheduled operation can't be read; update it with another definition, or delete it",
		"scheduled_operation", r.ScheduledOperationID, "run", r.ID, "error", r.unreadable)
	return s.endRun(ctx, t, r, karbor.RunError, "its scheduled operation can't be read; update it with another definition, or delete it", now)
}

// Lease is a claim that is asked for.
type Lease struct {
	Owner      string
	Now, Until time.Time
}

// ClaimRuns claims runs that shall begin, the projects by turns. Those that are not to
// begin any more end: their window is over, or an earlier run goes on. looked is how many
// it has looked at: as many as limit when there may be more.
func (s *Store) ClaimRuns(ctx context.Context, l Lease, limit int) (claimed []ClaimedRun, looked int, err error) {
	waiting, err := s.any(ctx, "SELECT 1 FROM scheduled_runs WHERE state = ? AND try_at <= ? AND leased_until <= ? LIMIT 1",
		string(karbor.RunQueued), rows.Micros(l.Now), rows.Micros(l.Now))
	if err != nil || !waiting {
		return nil, 0, rows.Failed("looking for runs to begin", err)
	}
	err = s.db.Write(ctx, "claiming runs", func(t *rows.Tx) error {
		found, err := rows.All(ctx, t, func(row *sql.Rows) (ClaimedRun, error) { return scanClaimed(row) }, "SELECT "+claimedColumns+
			` FROM scheduled_runs r JOIN schedules s ON s.scheduled_operation_id = r.scheduled_operation_id
			JOIN scheduled_operations o ON o.id = r.scheduled_operation_id
			WHERE r.state = ? AND r.try_at <= ? AND r.leased_until <= ? ORDER BY r.turn, r.expected_at, r.id LIMIT ?`+rows.ForUpdate,
			string(karbor.RunQueued), rows.Micros(l.Now), rows.Micros(l.Now), limit)
		if err != nil {
			return err
		}
		claimed, looked = claimed[:0], len(found)
		for _, r := range found {
			if r.unreadable != nil {
				if err := s.setAside(ctx, t, &r, l.Now); err != nil {
					return err
				}
				continue
			}
			ok, err := s.admit(ctx, t, &r, l.Now)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			r.Claim = RunClaim{RunID: r.ID, Owner: l.Owner, Number: r.Claim.Number + 1, Until: l.Until}
			if _, err := holdRun(ctx, t, r.Claim); err != nil {
				return err
			}
			claimed = append(claimed, r)
		}
		return nil
	})
	return claimed, looked, err
}
