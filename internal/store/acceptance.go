package store

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
)

// Acceptance is all that is kept when an operation is accepted.
type Acceptance struct {
	Operation Operation
	Log       karbor.OperationLog
	// Checkpoint is a new checkpoint, for protect.
	Checkpoint *karbor.Checkpoint
	// CheckpointLimit is the most checkpoints that the project may have, the new
	// one among them; 0 stands for any number.
	CheckpointLimit int
	// Restore is a new restore.
	Restore *karbor.Restore
	// CheckpointFrom are the states, one of which an existing checkpoint must be
	// in; none stands for any. CheckpointTo, if any, is the state that it gets.
	CheckpointFrom []karbor.CheckpointStatus
	CheckpointTo   karbor.CheckpointStatus
}

// Accept keeps an operation with its log, its checkpoint or restore and one record
// per resource, and puts it into the outbox: all of it or nothing. It is
// karbor.Conflict if the checkpoint is in another state than it must be, if
// another operation writes it, or if it shall be deleted while a restore reads it.
func (s *Store) Accept(ctx context.Context, a Acceptance) error {
	now := s.now()
	if a.Operation.CreatedAt.IsZero() {
		a.Operation.CreatedAt = now
	}
	if a.Log.StartedAt.IsZero() {
		a.Log.StartedAt = a.Operation.CreatedAt
	}
	doing := "accepting the operation " + a.Operation.ID
	return s.write(ctx, doing, func(t *transaction) error {
		if a.Operation.CheckpointID != "" && a.Checkpoint == nil {
			if err := s.claimCheckpoint(ctx, t, &a); err != nil {
				return err
			}
		}
		if err := s.insertTargets(ctx, t, &a); err != nil {
			return err
		}
		if err := insertOperationLog(ctx, t, &a.Log); err != nil {
			return err
		}
		return insertOperation(ctx, t, &a.Operation, a.Log.ID)
	})
}

// claimCheckpoint makes sure that the operation may work on its checkpoint.
func (s *Store) claimCheckpoint(ctx context.Context, t *transaction, a *Acceptance) error {
	o := &a.Operation
	running, err := runningOn(ctx, t, o.ProviderID, o.CheckpointID)
	if err != nil {
		return err
	}
	reads := o.Type == karbor.RestoreOperation
	if running.writer != "" || running.readers > 0 && !reads {
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s", o.CheckpointID, running.doing())
	}
	if len(a.CheckpointFrom) == 0 && a.CheckpointTo == "" {
		return nil
	}
	status, err := one(ctx, t, scanText, `SELECT status FROM checkpoints
		WHERE id = ? AND provider_id = ? AND project_id = ? AND deleted = 0`,
		o.CheckpointID, o.ProviderID, o.ProjectID)
	if err != nil {
		return missing(err, "checkpoint", o.CheckpointID)
	}
	if len(a.CheckpointFrom) > 0 && !slices.Contains(a.CheckpointFrom, karbor.CheckpointStatus(status)) {
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is in the state %s", o.CheckpointID, status)
	}
	if a.CheckpointTo == "" {
		return nil
	}
	return setCheckpointStatus(ctx, t, o.ProviderID, o.CheckpointID, a.CheckpointTo, s.now())
}

// insertTargets keeps the new checkpoint or the new restore.
func (s *Store) insertTargets(ctx context.Context, t *transaction, a *Acceptance) error {
	if c := a.Checkpoint; c != nil {
		if err := checkpointQuota(ctx, t, c.ProjectID, a.CheckpointLimit); err != nil {
			return err
		}
		row := *c
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := insertCheckpoint(ctx, t, &row, newCheckpoint); err != nil {
			return err
		}
	}
	if r := a.Restore; r != nil {
		row := *r
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		return insertRestore(ctx, t, &row)
	}
	return nil
}

func checkpointQuota(ctx context.Context, t *transaction, projectID string, limit int) error {
	if limit <= 0 {
		return nil
	}
	n, err := one(ctx, t, scanInt, countCheckpoints, projectID)
	if err == nil && n >= int64(limit) {
		return karbor.Errorf(karbor.OverLimit, "the project has %d checkpoints, and its quota is %d", n, limit)
	}
	return err
}

func insertOperation(ctx context.Context, t *transaction, o *Operation, logID string) error {
	err := t.exec(ctx, `INSERT INTO operations (id, operation_type, project_id, provider_id, checkpoint_id,
		restore_id, plan_id, log_id, graph, parameters, delegation, dispatched, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`, o.ID, string(o.Type), o.ProjectID, o.ProviderID,
		o.CheckpointID, o.RestoreID, o.PlanID, logID, graphColumn{&o.Graph}, document{o.Parameters},
		sealed(o.Delegation), micros(o.CreatedAt))
	if isDuplicate(err) {
		return karbor.Errorf(karbor.Conflict, "there is an operation %s already", o.ID)
	}
	if err != nil || o.Graph == nil {
		return err
	}
	return insertResourceRecords(ctx, t, o)
}
