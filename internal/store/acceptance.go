package store

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/copies"
	"github.com/karbor/karbor/internal/store/drills"
	"github.com/karbor/karbor/internal/store/journal"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/restores"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/store/schedules"
	"github.com/karbor/karbor/internal/workflow/local"
)

// Acceptance is all that is kept when an operation is accepted.
type Acceptance struct {
	Operation operations.Operation
	Log       karbor.OperationLog
	// Checkpoint is a new checkpoint, for protect.
	Checkpoint *karbor.Checkpoint
	// Keeping is how that is kept.
	Keeping karbor.Keeping
	// Limits are the configured quotas, over which go those of the default class and
	// of the project. Gigabytes is an estimate of what the new checkpoint will hold,
	// in GiB, which is set aside until the operation ends.
	Limits    ledger.Limits
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
	Copying copies.Copying
	// CheckpointFrom are the states, one of which an existing checkpoint must be
	// in; none stands for any. CheckpointTo, if any, is the state that it gets.
	CheckpointFrom []karbor.CheckpointStatus
	CheckpointTo   karbor.CheckpointStatus
	// Gate, if any, is asked whether what speaks against deleting the checkpoint lets it
	// go; its error is Accept's. It may be called again, and is quick.
	Gate func(checkpoints.Standing) error
	// Joint, if any, is the operation as the local engine has it: then it is
	// journalled too, and not put into the outbox. With a token that is no longer that
	// of the journal's lease, nothing is kept, and the error is local.ErrFenced.
	Joint *local.Joint
	// Run, if any, is the claim of the scheduled run that this operation is of; it begins
	// with it. With a claim that has ended nothing is kept, and the error is ErrRunLost.
	Run *schedules.RunClaim
	// Step, if any, says which operation of that run it is, of a run that has a plan:
	// see PlanRun.
	Step *schedules.RunStep
}

// Accept keeps an operation with its log, what it makes and one record per resource,
// and puts it into the outbox, or, as a Joint, into the journal: all of it or nothing. It is karbor.Conflict if the
// checkpoint is in another state than it must be, if another operation writes it, or
// if it shall be deleted while another one reads it, if it would overwrite or protect what
// another is overwriting, and karbor.OverLimit if a quota does not suffice for a new
// checkpoint. more are accepted after it, in the same transaction.
func (s *Store) Accept(ctx context.Context, a Acceptance, more ...Acceptance) error {
	return s.db.WriteOf(ctx, a.Operation.ProjectID, "accepting the operation "+a.Operation.ID, func(t *rows.Tx) error {
		for _, one := range append([]Acceptance{a}, more...) {
			if err := accept(ctx, t, one); err != nil {
				return err
			}
		}
		return nil
	})
}

func accept(ctx context.Context, t *rows.Tx, a Acceptance) error {
	now := t.Now()
	if a.Operation.CreatedAt.IsZero() {
		a.Operation.CreatedAt = now
	}
	if a.Log.StartedAt.IsZero() {
		a.Log.StartedAt = a.Operation.CreatedAt
	}
	if a.Run != nil {
		if err := schedules.BeginRun(ctx, t, *a.Run, a.Step, a.Operation.CheckpointID, now); err != nil {
			return err
		}
	}
	if a.Operation.CheckpointID != "" && a.Checkpoint == nil {
		err := checkpoints.Begin(ctx, t, checkpoints.Key{ProjectID: a.Operation.ProjectID, ProviderID: a.Operation.ProviderID, ID: a.Operation.CheckpointID},
			checkpoints.Use{By: a.Operation.Type, From: a.CheckpointFrom, To: a.CheckpointTo, Gate: a.Gate})
		if err != nil {
			return err
		}
	}
	if err := restores.MeetsNoOther(ctx, t, &a.Operation); err != nil {
		return err
	}
	if err := insertTargets(ctx, t, &a); err != nil {
		return err
	}
	if err := operations.AddLog(ctx, t, &a.Log); err != nil {
		return err
	}
	a.Operation.Dispatched = a.Joint != nil
	if err := operations.Add(ctx, t, &a.Operation, a.Log.ID); err != nil || a.Joint == nil {
		return err
	}
	return journal.Add(ctx, t, a.Joint.Token, a.Joint.Operation, a.Joint.Steps)
}

// maker is the operation as the ledger knows it.
func (a *Acceptance) maker() ledger.Maker {
	return ledger.Maker{OperationID: a.Operation.ID, ProjectID: a.Operation.ProjectID}
}

// insertTargets keeps what the operation makes.
func insertTargets(ctx context.Context, t *rows.Tx, a *Acceptance) error {
	if c := a.Checkpoint; c != nil {
		if err := ledger.Reserve(ctx, t, a.maker(), a.Operation.CheckpointID, a.Gigabytes, a.Limits); err != nil {
			return err
		}
		if err := checkpoints.Add(ctx, t, *c, a.Keeping); err != nil {
			return err
		}
	}
	if r := a.Restore; r != nil {
		row := *r
		rows.FillIn(t.Now, &row.CreatedAt, &row.UpdatedAt)
		if err := restores.Add(ctx, t, &row); err != nil {
			return err
		}
	}
	if v := a.Verification; v != nil {
		row := *v
		rows.FillIn(t.Now, &row.CreatedAt, &row.UpdatedAt)
		if err := restores.AddVerification(ctx, t, &row); err != nil {
			return err
		}
	}
	if d := a.Drill; d != nil {
		row := *d
		rows.FillIn(t.Now, &row.CreatedAt, &row.UpdatedAt)
		if err := drills.Add(ctx, t, &row, a.DrillLimit); err != nil {
			return err
		}
	}
	if c := a.Copy; c != nil {
		row := *c
		rows.FillIn(t.Now, &row.CreatedAt, &row.UpdatedAt)
		if err := copies.AddCopied(ctx, t, a.maker(), &a.Copying, &row, a.Limits); err != nil {
			return err
		}
		c.Checkpoints = row.Checkpoints
		return copies.Add(ctx, t, &row)
	}
	return nil
}
