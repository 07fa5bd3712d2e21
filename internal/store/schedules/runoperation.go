package schedules

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

const runOperationColumns = "position, checkpoint_id, operation_id, state, reason"

func scanRunOperation(row *sql.Rows) (karbor.RunOperation, error) {
	var o karbor.RunOperation
	err := row.Scan(&o.Position, &o.CheckpointID, &o.OperationID, (*string)(&o.State), &o.Reason)
	return o, err
}

// RunOperations gives the operations of a run that works on several checkpoints, in
// their order; none of a run for which PlanRun was not called.
func (s *Store) RunOperations(ctx context.Context, runID string) ([]karbor.RunOperation, error) {
	found, err := rows.All(ctx, s.db, scanRunOperation, "SELECT "+runOperationColumns+
		" FROM scheduled_run_operations WHERE run_id = ? ORDER BY position", runID)
	return found, rows.Failed("reading the operations of the run "+runID, err)
}

// PlanRun keeps on which checkpoints a run that was claimed works, in their order. A run
// that has such a plan keeps it. The error is ErrRunLost if the claim has ended.
func (s *Store) PlanRun(ctx context.Context, c RunClaim, checkpoints []string) error {
	return s.db.Write(ctx, "planning the run "+c.RunID, func(t *rows.Tx) error {
		if err := stands(ctx, t, c, karbor.RunQueued); err != nil {
			return err
		}
		n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM scheduled_run_operations WHERE run_id = ?", c.RunID)
		if err != nil || n > 0 {
			return err
		}
		for i, id := range checkpoints {
			err := t.Exec(ctx, `INSERT INTO scheduled_run_operations (run_id, position, checkpoint_id, operation_id, state, reason)
				VALUES (?, ?, ?, '', ?, '')`, c.RunID, i, id, string(karbor.RunQueued))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// stands makes sure that a claim still stands, of a run in one of some states, and holds
// the run.
func stands(ctx context.Context, t *rows.Tx, c RunClaim, states ...karbor.RunState) error {
	args := []any{c.RunID, c.Owner, c.Number}
	for _, state := range states {
		args = append(args, string(state))
	}
	found, err := rows.All(ctx, t, rows.Text, "SELECT id FROM scheduled_runs WHERE id = ? AND owner = ? AND claim = ? AND state IN ("+rows.Repeated("?", len(states))+")"+rows.ForUpdate, args...)
	if err == nil && len(found) == 0 {
		err = runLost(c)
	}
	return err
}

// runLost is the error of a claim that has ended.
func runLost(c RunClaim) error {
	return &karbor.Error{Kind: karbor.Conflict, Message: "the run " + c.RunID + " is another node's now, or is over", Cause: ErrRunLost}
}

// LeaveOut ends an operation of a run that can't be begun: as karbor.RunSkipped or
// karbor.RunError. The error is ErrRunLost if the claim has ended.
func (s *Store) LeaveOut(ctx context.Context, c RunClaim, position int, state karbor.RunState, reason string) error {
	return s.db.Write(ctx, "leaving an operation of the run "+c.RunID+" out", func(t *rows.Tx) error {
		if err := stands(ctx, t, c, karbor.RunQueued, karbor.RunRunning); err != nil {
			return err
		}
		return t.Exec(ctx, "UPDATE scheduled_run_operations SET state = ?, reason = ? WHERE run_id = ? AND position = ? AND state = ?",
			string(state), reason, c.RunID, position, string(karbor.RunQueued))
	})
}

// RunStep names the operation of a run that is accepted.
type RunStep struct {
	Position    int
	OperationID string
}

// takeStep notes that an operation of a run is accepted, within the transaction that
// accepts it: the first one begins the run. The error is ErrRunLost if the claim has
// ended, or if it has begun already.
func takeStep(ctx context.Context, t *rows.Tx, c RunClaim, step RunStep, at int64) error {
	query, args := `UPDATE scheduled_runs SET reason = '', owner = '', leased_until = 0
		WHERE id = ? AND state = ? AND owner = ? AND claim = ?`, []any{c.RunID, string(karbor.RunRunning), c.Owner, c.Number}
	if step.OperationID == c.RunID {
		query, args = `UPDATE scheduled_runs SET state = ?, started_at = ?, reason = '', owner = '', leased_until = 0
			WHERE id = ? AND state = ? AND owner = ? AND claim = ?`,
			[]any{string(karbor.RunRunning), at, c.RunID, string(karbor.RunQueued), c.Owner, c.Number}
	}
	n, err := t.Changed(ctx, query, args...)
	if err == nil && n > 0 {
		n, err = t.Changed(ctx, `UPDATE scheduled_run_operations SET state = ?, operation_id = ?
			WHERE run_id = ? AND position = ? AND state = ?`, string(karbor.RunRunning), step.OperationID, c.RunID, step.Position,
			string(karbor.RunQueued))
	}
	if err == nil && n == 0 {
		err = runLost(c)
	}
	return err
}

// currentOperation is, in a query of the runs r, the operation that a run waits for.
const currentOperation = `COALESCE((SELECT q.operation_id FROM scheduled_run_operations q WHERE q.run_id = r.id AND q.state = 'running'), r.id)`

// withOperations fills in the operations of the runs of a scheduled operation.
func (s *Store) withOperations(ctx context.Context, scheduledOperationID string, runs []karbor.ScheduledRun) error {
	type entry struct {
		run string
		karbor.RunOperation
	}
	scan := func(row *sql.Rows) (entry, error) {
		var r entry
		err := row.Scan(&r.run, &r.Position, &r.CheckpointID, &r.OperationID, (*string)(&r.State), &r.Reason)
		return r, err
	}
	found, err := rows.All(ctx, s.db, scan, `SELECT q.run_id, q.position, q.checkpoint_id, q.operation_id, q.state, q.reason
		FROM scheduled_run_operations q JOIN scheduled_runs r ON r.id = q.run_id
		WHERE r.scheduled_operation_id = ? ORDER BY q.run_id, q.position`, scheduledOperationID)
	byRun := map[string][]karbor.RunOperation{}
	for _, r := range found {
		byRun[r.run] = append(byRun[r.run], r.RunOperation)
	}
	for i := range runs {
		runs[i].Operations = byRun[runs[i].ID]
		for j := range runs[i].Operations {
			if o := &runs[i].Operations[j]; o.State == karbor.RunQueued && runs[i].State.Ended() {
				o.State = karbor.RunSkipped
			}
		}
	}
	return err
}
