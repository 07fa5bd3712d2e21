package store

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow/local"
)

// Acceptance is all that is kept when an operation is accepted.
type Acceptance struct {
	Operation Operation
	Log       karbor.OperationLog
	// Checkpoint is a new checkpoint, for protect.
	Checkpoint *karbor.Checkpoint
	// Keeping is how that is kept.
	Keeping karbor.Keeping
	// Limits are the configured quotas, over which go those of the default class and
	// of the project. Gigabytes is an estimate of what the new checkpoint will hold,
	// in GiB, which is set aside until the operation ends.
	Limits    Limits
	Gigabytes int64
	// Restore, Verification and Copy are new ones of their kind.
	Restore      *karbor.Restore
	Verification *karbor.Verification
	Copy         *karbor.Copy
	// Drill is a new drill, of which DrillLimit may run in the project at a time; a negative
	// limit is none.
	Drill      *karbor.Drill
	DrillLimit int64
	// Copying says what Copy copies; it gets the list of it.
	Copying Copying
	// CheckpointFrom are the states, one of which an existing checkpoint must be
	// in; none stands for any. CheckpointTo, if any, is the state that it gets.
	CheckpointFrom []karbor.CheckpointStatus
	CheckpointTo   karbor.CheckpointStatus
	// Gate, if any, is asked whether what speaks against deleting the checkpoint lets it
	// go; its error is Accept's. It may be called again, and is quick.
	Gate func(Standing) error
	// Joint, if any, is the operation as the local engine has it: then it is
	// journalled too, and not put into the outbox. With a token that is no longer that
	// of the journal's lease, nothing is kept, and the error is local.ErrFenced.
	Joint *local.Joint
	// Run, if any, is the claim of the scheduled run that this operation is of; it begins
	// with it. With a claim that has ended nothing is kept, and the error is ErrRunLost.
	Run *RunClaim
	// Step, if any, says which operation of that run it is, of a run that has a plan:
	// see PlanRun.
	Step *RunStep
}

// Accept keeps an operation with its log, what it makes and one record per resource,
// and puts it into the outbox, or, as a Joint, into the journal: all of it or nothing. It is karbor.Conflict if the
// checkpoint is in another state than it must be, if another operation writes it, or
// if it shall be deleted while another one reads it, if it would overwrite or protect what
// another is overwriting, and karbor.OverLimit if a quota does not suffice for a new
// checkpoint. more are accepted after it, in the same transaction.
func (s *Store) Accept(ctx context.Context, a Acceptance, more ...Acceptance) error {
	return s.write(ctx, "accepting the operation "+a.Operation.ID, func(t *transaction) error {
		for _, one := range append([]Acceptance{a}, more...) {
			if err := s.accept(ctx, t, one); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) accept(ctx context.Context, t *transaction, a Acceptance) error {
	now := s.now()
	if a.Operation.CreatedAt.IsZero() {
		a.Operation.CreatedAt = now
	}
	if a.Log.StartedAt.IsZero() {
		a.Log.StartedAt = a.Operation.CreatedAt
	}
	if a.Run != nil {
		if err := beginRun(ctx, t, *a.Run, a.Step, a.Operation.CheckpointID, now); err != nil {
			return err
		}
	}
	if a.Operation.CheckpointID != "" && a.Checkpoint == nil {
		if err := s.claimCheckpoint(ctx, t, &a); err != nil {
			return err
		}
	}
	if err := worksOnOriginals(ctx, t, &a.Operation); err != nil {
		return err
	}
	if err := s.insertTargets(ctx, t, &a); err != nil {
		return err
	}
	if err := insertOperationLog(ctx, t, &a.Log); err != nil {
		return err
	}
	a.Operation.Dispatched = a.Joint != nil
	if err := insertOperation(ctx, t, &a.Operation, a.Log.ID); err != nil || a.Joint == nil {
		return err
	}
	return insertJournal(ctx, t, a.Joint.Token, a.Joint.Operation, a.Joint.Steps)
}

// claimCheckpoint makes sure that the operation may work on its checkpoint.
func (s *Store) claimCheckpoint(ctx context.Context, t *transaction, a *Acceptance) error {
	o := &a.Operation
	running, err := runningOn(ctx, t, o.ProviderID, o.CheckpointID)
	if err != nil {
		return err
	}
	if running.writer != "" || running.readers > 0 && !onlyReads(o.Type) {
		advice := ""
		if o.Type == karbor.Delete && running.writer != karbor.Delete {
			advice = "; it can be deleted when that is over"
		}
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s%s", o.CheckpointID, running.doing(), advice)
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
	if a.Gate != nil {
		st, err := standing(ctx, t, o.ProjectID, o.ProviderID, o.CheckpointID)
		if err != nil {
			return err
		}
		if err := a.Gate(st); err != nil {
			return err
		}
	}
	if a.CheckpointTo == "" {
		return nil
	}
	return setCheckpointStatus(ctx, t, o.ProviderID, o.CheckpointID, a.CheckpointTo, s.now())
}

// insertTargets keeps what the operation makes.
func (s *Store) insertTargets(ctx context.Context, t *transaction, a *Acceptance) error {
	if c := a.Checkpoint; c != nil {
		if err := s.reserve(ctx, t, a); err != nil {
			return err
		}
		row := *c
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := insertCheckpoint(ctx, t, &row, newCheckpoint); err != nil {
			return err
		}
		if a.Keeping != (karbor.Keeping{}) {
			if err := putKeeping(ctx, t, row.ProjectID, row.ProviderID, row.ID, a.Keeping); err != nil {
				return err
			}
		}
	}
	if r := a.Restore; r != nil {
		row := *r
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := insertRestore(ctx, t, &row); err != nil {
			return err
		}
	}
	if v := a.Verification; v != nil {
		row := *v
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := insertVerification(ctx, t, &row); err != nil {
			return err
		}
	}
	if d := a.Drill; d != nil {
		row := *d
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := s.insertDrill(ctx, t, &row, a.DrillLimit); err != nil {
			return err
		}
	}
	if c := a.Copy; c != nil {
		row := *c
		s.fillIn(&row.CreatedAt, &row.UpdatedAt)
		if err := s.insertCopied(ctx, t, a, &row); err != nil {
			return err
		}
		c.Checkpoints = row.Checkpoints
		return insertCopy(ctx, t, &row)
	}
	return nil
}

func insertOperation(ctx context.Context, t *transaction, o *Operation, logID string) error {
	err := t.add(ctx, "an operation", o.ID, `INSERT INTO operations (id, operation_type, project_id, provider_id, checkpoint_id,
		restore_id, plan_id, log_id, graph, parameters, choices, delegation, request_id, bank, dispatched, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, o.ID, string(o.Type), o.ProjectID, o.ProviderID,
		o.CheckpointID, o.RestoreID, o.PlanID, logID, graphColumn{&o.Graph}, document{o.Parameters}, choices(o.Choices),
		sealed(o.Delegation), o.RequestID, o.Bank, truth(o.Dispatched), micros(o.CreatedAt))
	if err != nil || o.Graph == nil {
		return err
	}
	return insertResourceRecords(ctx, t, o)
}
