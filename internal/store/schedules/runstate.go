package schedules

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// ErrRunLost says that a claim of a run has ended: another node has it, or it is over.
var ErrRunLost = errors.New("the run is another node's now, or is over")

// runPause is when a run is looked at again that waits for an earlier one.
const runPause = 2 * time.Second

// admit reports whether a run may begin now. If it never may, it ends.
func (s *Store) admit(ctx context.Context, t *rows.Tx, r *ClaimedRun, now time.Time) (bool, error) {
	switch {
	case !r.enabled && !r.Manual:
		return false, s.endRun(ctx, t, r, karbor.RunSkipped, "the scheduled operation was disabled", now)
	case !r.DropAt.IsZero() && r.DropAt.Before(now):
		reason := notRunning
		if r.Reason != "" {
			reason = "it could not begin within its window: " + r.Reason
		}
		return false, s.endRun(ctx, t, r, karbor.RunDropped, reason, now)
	}
	// One that was asked for may have begun with a later expected time. One whose
	// operation is over disturbs nothing, even if its end is not noted yet.
	others, err := rows.All(ctx, t, scanRun, "SELECT "+runListing.Columns+` FROM scheduled_runs r WHERE scheduled_operation_id = ? AND id <> ?
		AND (state = ? AND (NOT EXISTS (SELECT 1 FROM operations p WHERE p.id = `+currentOperation+` AND p.ended_at IS NOT NULL)
		OR EXISTS (SELECT 1 FROM scheduled_run_operations w WHERE w.run_id = r.id AND w.state = 'queued'))
		OR state = ? AND (expected_at < ? OR leased_until > ?)) ORDER BY expected_at`, r.ScheduledOperationID, r.ID,
		string(karbor.RunRunning), string(karbor.RunQueued), rows.Micros(r.ExpectedAt), rows.Micros(now))
	if err != nil || len(others) == 0 {
		return err == nil, err
	}
	goes := func(o karbor.ScheduledRun) bool { return o.State == karbor.RunRunning }
	first := slices.IndexFunc(others, goes)
	waits := slices.ContainsFunc(others, func(o karbor.ScheduledRun) bool { return !goes(o) })
	going := ""
	if first >= 0 {
		going = "the run of " + others[first].ExpectedAt.Format(time.RFC3339) + " was not over yet"
	}
	switch {
	case going != "" && (r.overlap != karbor.OverlapQueue || waits):
		return false, s.endRun(ctx, t, r, karbor.RunSkipped, going, now)
	case going != "":
		// It waits as long as it must.
		return false, t.Exec(ctx, "UPDATE scheduled_runs SET until_at = NULL, try_at = ?, reason = ? WHERE id = ?",
			rows.Micros(now.Add(runPause)), going, r.ID)
	default:
		return false, t.Exec(ctx, "UPDATE scheduled_runs SET try_at = ? WHERE id = ?", rows.Micros(now.Add(runPause)), r.ID)
	}
}

// endRun ends a run that the transaction holds.
func (s *Store) endRun(ctx context.Context, t *rows.Tx, r *ClaimedRun, state karbor.RunState, reason string, at time.Time) error {
	err := t.Exec(ctx, `UPDATE scheduled_runs SET state = ?, reason = ?, ended_at = ?, owner = '', leased_until = 0
		WHERE id = ?`, string(state), reason, rows.Micros(at), r.ID)
	if err != nil {
		return err
	}
	return s.prune(ctx, t, r.ScheduledOperationID)
}

// holdRun claims a run. It reports whether nobody has claimed it since it was read.
func holdRun(ctx context.Context, t *rows.Tx, c RunClaim) (bool, error) {
	n, err := t.Changed(ctx, "UPDATE scheduled_runs SET owner = ?, claim = ?, leased_until = ? WHERE id = ? AND claim = ?",
		c.Owner, c.Number, rows.Micros(c.Until), c.RunID, c.Number-1)
	return n > 0, err
}

// BeginRun notes that the operation of a run is accepted, within the transaction that
// accepts it. The error is ErrRunLost if the claim has ended.
func BeginRun(ctx context.Context, t *rows.Tx, c RunClaim, step *RunStep, checkpointID string, at time.Time) error {
	if step != nil {
		return takeStep(ctx, t, c, *step, rows.Micros(at))
	}
	n, err := t.Changed(ctx, `UPDATE scheduled_runs SET state = ?, started_at = ?, checkpoint_id = ?, reason = '', owner = '',
		leased_until = 0 WHERE id = ? AND state = ? AND owner = ? AND claim = ?`, string(karbor.RunRunning), rows.Micros(at),
		checkpointID, c.RunID, string(karbor.RunQueued), c.Owner, c.Number)
	if err == nil && n == 0 {
		err = runLost(c)
	}
	return err
}

// EndRun ends a run that was claimed. One whose claim has ended is left to who has it.
func (s *Store) EndRun(ctx context.Context, c RunClaim, scheduledOperationID string, state karbor.RunState, reason string, at time.Time) error {
	return s.db.Write(ctx, "ending the run "+c.RunID, func(t *rows.Tx) error {
		n, err := t.Changed(ctx, `UPDATE scheduled_runs SET state = ?, reason = ?, ended_at = ?, owner = '', leased_until = 0
			WHERE id = ? AND owner = ? AND claim = ? AND ended_at IS NULL`, string(state), reason, rows.Micros(at), c.RunID, c.Owner, c.Number)
		if err != nil || n == 0 {
			return err
		}
		return s.prune(ctx, t, scheduledOperationID)
	})
}

// PostponeRun gives the claim of a run back; it is tried again at a time.
func (s *Store) PostponeRun(ctx context.Context, c RunClaim, again time.Time, reason string) error {
	return s.db.Write(ctx, "postponing the run "+c.RunID, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE scheduled_runs SET try_at = ?, reason = ?, owner = '', leased_until = 0
			WHERE id = ? AND owner = ? AND claim = ? AND ended_at IS NULL`, rows.Micros(again), reason, c.RunID, c.Owner, c.Number)
	})
}

// FinishRuns ends runs whose operations are over, or claims those for which there is
// still something to do, as after says of their type and of how their operation ended.
// looked is how many it has looked at. What was found of an operation of a run that has
// several is kept with it.
func (s *Store) FinishRuns(ctx context.Context, l Lease, limit int, after func(karbor.ScheduledOperationType, karbor.RunState) bool) (claimed []ClaimedRun, looked int, err error) {
	over, err := rows.All(ctx, s.db, scanOver, "SELECT "+claimedColumns+`, l.status, l.error_info, p.ended_at, `+plannedOperations+` FROM scheduled_runs r
		JOIN operations p ON p.id = `+currentOperation+` JOIN operation_logs l ON l.id = p.log_id
		JOIN schedules s ON s.scheduled_operation_id = r.scheduled_operation_id
		JOIN scheduled_operations o ON o.id = r.scheduled_operation_id
		WHERE r.state = ? AND r.leased_until <= ? AND r.try_at <= ? AND p.ended_at IS NOT NULL ORDER BY r.turn, r.expected_at, r.id LIMIT ?`,
		string(karbor.RunRunning), rows.Micros(l.Now), rows.Micros(l.Now), limit)
	if err != nil || len(over) == 0 {
		return nil, 0, rows.Failed("listing the runs that are over", err)
	}
	err = s.db.Write(ctx, "ending runs", func(t *rows.Tx) error {
		claimed = claimed[:0]
		for _, r := range over {
			r.Claim = RunClaim{RunID: r.ID, Owner: l.Owner, Number: r.Claim.Number + 1, Until: l.Until}
			ours, err := holdRun(ctx, t, r.Claim)
			if err != nil {
				return err
			}
			if !ours {
				continue
			}
			goesOn, err := s.finishRun(ctx, t, &r, after)
			if err != nil {
				return err
			}
			if goesOn {
				claimed = append(claimed, r.ClaimedRun)
			}
		}
		return nil
	})
	return claimed, len(over), err
}

// finishRun ends a run whose operation is over, or reports that there is more to do.
func (s *Store) finishRun(ctx context.Context, t *rows.Tx, r *overRun, after func(karbor.ScheduledOperationType, karbor.RunState) bool) (goesOn bool, err error) {
	state := stateOf(r.Status)
	if r.planned > 0 {
		err := t.Exec(ctx, "UPDATE scheduled_run_operations SET state = ?, reason = ? WHERE run_id = ? AND state = ?",
			string(state), r.ErrorInfo, r.ID, string(karbor.RunRunning))
		if err != nil {
			return false, err
		}
	}
	switch {
	case !after(r.Operation.OperationType, state):
		return false, s.endRun(ctx, t, &r.ClaimedRun, state, r.ErrorInfo, r.endedAt)
	case r.unreadable != nil:
		return false, s.setAside(ctx, t, &r.ClaimedRun, r.endedAt)
	}
	return true, nil
}

// plannedOperations is, in a query of the runs r, of how many operations a run is, for
// which PlanRun was called.
const plannedOperations = "(SELECT COUNT(*) FROM scheduled_run_operations w WHERE w.run_id = r.id)"

// overRun is a run whose operation ended at a time.
type overRun struct {
	ClaimedRun
	endedAt time.Time
	planned int64
}

func scanOver(row *sql.Rows) (overRun, error) {
	var o overRun
	var err error
	var status, info string
	o.ClaimedRun, err = scanClaimed(row, &status, &info, rows.Time(&o.endedAt), &o.planned)
	o.Status, o.ErrorInfo = karbor.LogStatus(status), info
	return o, err
}

// stateOf gives the end of a run by that of its operation's log.
func stateOf(status karbor.LogStatus) karbor.RunState {
	if status == karbor.LogSuccess || status == karbor.LogStatus(karbor.CheckpointAvailable) {
		return karbor.RunSuccess
	}
	return karbor.RunError
}

// EndLostRuns ends runs whose operations are not known any more, and gives how many
// those were.
func (s *Store) EndLostRuns(ctx context.Context) (n int64, err error) {
	err = s.db.Write(ctx, "ending the runs without an operation", func(t *rows.Tx) (err error) {
		n, err = t.Changed(ctx, `UPDATE scheduled_runs SET state = ?, reason = ?, ended_at = ? WHERE state = ?
			AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.id = COALESCE((SELECT q.operation_id
			FROM scheduled_run_operations q WHERE q.run_id = scheduled_runs.id AND q.state = 'running'), scheduled_runs.id))`, string(karbor.RunError),
			"its operation is not known any more", rows.Micros(s.db.Now()), string(karbor.RunRunning))
		return err
	})
	return n, err
}

// ReleaseRuns ends the claims of a node that has been started anew.
func (s *Store) ReleaseRuns(ctx context.Context, owner string) error {
	return s.db.Write(ctx, "releasing the runs of "+owner, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE scheduled_runs SET owner = '', claim = claim + 1, leased_until = 0
			WHERE owner = ? AND state IN (?, ?)`, owner, string(karbor.RunQueued), string(karbor.RunRunning))
	})
}
