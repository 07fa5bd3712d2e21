package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/karbor/karbor"
)

// Copying says what a request for copies copies: of its plan, the available checkpoints in
// the provider's own bank that a target does not have yet, the oldest first.
type Copying struct {
	Targets []CopyTarget
	// Checkpoints, if any, are the only ones.
	Checkpoints []string
	// Make gives the copy of a checkpoint at a target, as it is kept; or, as refused, the
	// reason for which there can't be one. It may be called more than once for each.
	Make func(original karbor.Checkpoint, target string) (made karbor.Checkpoint, refused string)
	// Most is how many copies one request makes.
	Most int
}

// CopyTarget is a target of a request for copies.
type CopyTarget struct {
	Name string
	// Newest, if positive, is how many of the plan's newest checkpoints it is to have.
	Newest int
	// Since is the time before which checkpoints are too old for it.
	Since time.Time
}

// ErrNothingToCopy says that a request for copies has nothing to do.
var ErrNothingToCopy = errors.New("there is nothing to copy")

// Copied is how far the copy of one checkpoint to one target is.
type Copied struct {
	karbor.CopyProgress
	// Position is its place in the request.
	Position int
	// Attempts is how often it has failed.
	Attempts int
	EndedAt  time.Time
}

const copiedColumns = "position, checkpoint_id, copied_id, bank, status, reason, attempts, done, total, stored, ended_at"

func scanCopied(rows *sql.Rows) (Copied, error) {
	var c Copied
	err := rows.Scan(&c.Position, &c.CheckpointID, &c.CopyID, &c.Bank, (*string)(&c.Status), &c.Reason, &c.Attempts,
		&c.Done, &c.Total, &c.Stored, timeColumn{&c.EndedAt})
	return c, err
}

// Copied gives what a request copies, in the order in which it does.
func (s *Store) Copied(ctx context.Context, copyID string) ([]Copied, error) {
	found, err := all(ctx, s.reader, scanCopied, "SELECT "+copiedColumns+" FROM copied_checkpoints WHERE copy_id = ? ORDER BY position", copyID)
	return found, failed("reading what the request "+copyID+" copies", err)
}

// CopiesOf gives the copies of a checkpoint that are not deleted, the oldest first.
func (s *Store) CopiesOf(ctx context.Context, projectID, providerID, id string) ([]karbor.Checkpoint, error) {
	found, err := all(ctx, s.reader, scanCheckpoint, "SELECT "+checkpoints.columns+` FROM checkpoints
		WHERE copy_of = ? AND provider_id = ? AND project_id = ? AND deleted = 0 ORDER BY created_at, id`, id, providerID, projectID)
	return found, failed("looking for the copies of the checkpoint "+id, err)
}

// insertCopied keeps what a request for copies copies, with a checkpoint and a reservation
// for each copy, and lists it in the request. It is karbor.Conflict if there is nothing to copy,
// and karbor.OverLimit if a quota does not suffice.
func (s *Store) insertCopied(ctx context.Context, t *transaction, a *Acceptance, c *karbor.Copy) error {
	if a.Copying.Make == nil {
		return nil
	}
	// Who asks for the same at once waits here, and then sees what this one has kept.
	if _, err := s.lockCheckpointUsages(ctx, t, c.ProjectID); err != nil {
		return err
	}
	pairs, err := s.uncopied(ctx, t, a, c)
	if err != nil {
		return err
	}
	c.Checkpoints = nil
	var made []karbor.Checkpoint
	refusal := ""
	for i, p := range pairs {
		one, refused := a.Copying.Make(p.original, p.target)
		status, ended := karbor.CopyWaiting, any(nil)
		if refused != "" {
			one, status, ended, refusal = karbor.Checkpoint{}, karbor.CopyError, micros(s.now()), refused
		} else {
			made = append(made, one)
			c.Checkpoints = append(c.Checkpoints, karbor.CopiedCheckpoint{ProtectID: p.original.ID, CopyID: one.ID})
		}
		err := t.exec(ctx, `INSERT INTO copied_checkpoints (copy_id, position, provider_id, checkpoint_id, copied_id, bank, status,
			reason, attempts, done, total, stored, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, ?)`,
			c.ID, i, c.ProviderID, p.original.ID, one.ID, p.target, string(status), refused, p.original.Size, ended)
		if err != nil {
			return err
		}
	}
	if len(made) == 0 {
		if refusal != "" {
			return karbor.Errorf(karbor.Conflict, "no checkpoint of plan %s can be copied: %s", c.PlanID, refusal)
		}
		return &karbor.Error{Kind: karbor.Conflict, Message: "plan " + c.PlanID + " has no available checkpoint that is not copied yet", Cause: ErrNothingToCopy}
	}
	return s.insertCopyCheckpoints(ctx, t, a, made)
}

// insertCopyCheckpoints keeps the copies, and sets aside for each what its original holds.
func (s *Store) insertCopyCheckpoints(ctx context.Context, t *transaction, a *Acceptance, made []karbor.Checkpoint) error {
	l, err := limits(ctx, t, a.Operation.ProjectID, a.Limits)
	if err != nil {
		return err
	}
	const gibibyte = 1 << 30
	for _, r := range []QuotaResource{QuotaCheckpoints, QuotaGigabytes} {
		each := make([]int64, len(made))
		var total int64
		for i, one := range made {
			if each[i] = 1; r == QuotaGigabytes {
				each[i] = (one.Size + gibibyte - 1) / gibibyte
			}
			total += each[i]
		}
		u, err := s.claim(ctx, t, a.Operation.ProjectID, r, total, l)
		if err != nil {
			return err
		}
		for i, one := range made {
			if each[i] == 0 {
				continue
			}
			if err := insertReservation(ctx, t, &u, &a.Operation, one.ID, each[i], s.now()); err != nil {
				return err
			}
		}
		if err := s.changeUsage(ctx, t, a.Operation.ProjectID, r, Usage{Reserved: total}); err != nil {
			return err
		}
	}
	for _, one := range made {
		s.fillIn(&one.CreatedAt, &one.UpdatedAt)
		one.Size = 0
		if err := insertCheckpoint(ctx, t, &one, newCheckpoint); err != nil {
			return err
		}
	}
	return nil
}

// pair is a checkpoint and a target that does not have it.
type pair struct {
	original karbor.Checkpoint
	target   string
}

// uncopied gives what is not copied yet: those of the first target first, the oldest first.
func (s *Store) uncopied(ctx context.Context, t *transaction, a *Acceptance, c *karbor.Copy) ([]pair, error) {
	type row struct {
		id string
		at time.Time
	}
	originals, err := all(ctx, t, func(rows *sql.Rows) (row, error) {
		var r row
		err := rows.Scan(&r.id, timeColumn{&r.at})
		return r, err
	}, `SELECT id, created_at FROM checkpoints WHERE plan_id = ? AND provider_id = ? AND project_id = ? AND deleted = 0
		AND bank = '' AND status = ? ORDER BY created_at DESC, id DESC`,
		c.PlanID, c.ProviderID, c.ProjectID, string(karbor.CheckpointAvailable))
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	for _, id := range a.Copying.Checkpoints {
		only[id] = true
	}
	var out []pair
	for _, target := range a.Copying.Targets {
		there, err := copiedAlready(ctx, t, c, target.Name)
		if err != nil {
			return nil, err
		}
		wanted := originals
		if target.Newest > 0 {
			wanted = wanted[:min(target.Newest, len(wanted))]
		}
		for i := len(wanted) - 1; i >= 0 && len(out) < a.Copying.Most; i-- {
			o := wanted[i]
			if there[o.id] || o.at.Before(target.Since) || len(only) > 0 && !only[o.id] {
				continue
			}
			cp, err := checkpoint(ctx, t, c.ProjectID, c.ProviderID, o.id)
			if err != nil {
				return nil, err
			}
			out = append(out, pair{cp, target.Name})
		}
	}
	return out, nil
}

// copiedAlready gives the checkpoints of a plan of which a target has a copy, or gets one.
func copiedAlready(ctx context.Context, t *transaction, c *karbor.Copy, target string) (map[string]bool, error) {
	ids, err := all(ctx, t, scanText, `SELECT copy_of FROM checkpoints WHERE plan_id = ? AND provider_id = ? AND deleted = 0
		AND bank = ? AND status IN (?, ?, ?)`, c.PlanID, c.ProviderID, target,
		string(karbor.CheckpointAvailable), string(karbor.CheckpointWaitCopying), string(karbor.CheckpointCopying))
	there := make(map[string]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	return there, err
}

// BeginCopied notes that the copy of a checkpoint has begun.
func (s *Store) BeginCopied(ctx context.Context, copyID string, position int) error {
	return s.write(ctx, "noting that a copy of the request "+copyID+" has begun", func(t *transaction) error {
		now := micros(s.now())
		err := t.exec(ctx, "UPDATE copied_checkpoints SET status = ? WHERE copy_id = ? AND position = ? AND ended_at IS NULL",
			string(karbor.CopyCopying), copyID, position)
		if err == nil {
			err = t.exec(ctx, `UPDATE checkpoints SET status = ?, updated_at = ? WHERE deleted = 0 AND status = ? AND EXISTS
				(SELECT 1 FROM copied_checkpoints c WHERE c.copy_id = ? AND c.position = ? AND c.copied_id = checkpoints.id
				AND c.provider_id = checkpoints.provider_id)`,
				string(karbor.CheckpointCopying), now, string(karbor.CheckpointWaitCopying), copyID, position)
		}
		if err == nil {
			err = t.exec(ctx, "UPDATE copies SET status = ?, updated_at = ? WHERE id = ? AND status = ?",
				string(karbor.CopyCopying), now, copyID, string(karbor.CopyWaiting))
		}
		return err
	})
}

// MoveCopied keeps how far a copy is. stored is added to what was stored before.
func (s *Store) MoveCopied(ctx context.Context, copyID string, position int, done, total, stored int64) error {
	return s.write(ctx, "keeping how far the request "+copyID+" is", func(t *transaction) error {
		return t.exec(ctx, `UPDATE copied_checkpoints SET done = ?, total = ?, stored = stored + ? WHERE copy_id = ? AND position = ?
			AND ended_at IS NULL`, done, total, stored, copyID, position)
	})
}

// FailCopied keeps why a copy has failed that is tried again.
func (s *Store) FailCopied(ctx context.Context, copyID string, position int, reason string) error {
	return s.write(ctx, "keeping why a copy of the request "+copyID+" waits", func(t *transaction) error {
		return t.exec(ctx, `UPDATE copied_checkpoints SET attempts = attempts + 1, reason = ? WHERE copy_id = ? AND position = ?
			AND ended_at IS NULL`, reason, copyID, position)
	})
}

// CopiedOutcome is how the copy of one checkpoint ended.
type CopiedOutcome struct {
	// Reason says why it failed; "" for one that is available.
	Reason string
	// Size and Figures are the copy's, if it is available.
	Size    int64
	Figures map[string]karbor.Figures
}

// EndCopied ends the copy of one checkpoint: the copy is available, or in error, and counts by
// what it holds. A repeat is harmless: the first outcome stays.
func (s *Store) EndCopied(ctx context.Context, op Operation, position int, o CopiedOutcome) error {
	return s.write(ctx, "ending a copy of the request "+op.ID, func(t *transaction) error {
		row, err := one(ctx, t, scanCopied, "SELECT "+copiedColumns+` FROM copied_checkpoints
			WHERE copy_id = ? AND position = ?`+forUpdate, op.ID, position)
		if err != nil {
			return missing(err, "copy of the request", op.ID)
		}
		if !row.EndedAt.IsZero() {
			return nil
		}
		status := karbor.CopyFinished
		outcome := Outcome{CheckpointStatus: karbor.CheckpointAvailable, Size: o.Size, Figures: o.Figures}
		if o.Reason != "" {
			status = karbor.CopyError
			outcome = Outcome{CheckpointStatus: karbor.CheckpointError, Reasons: map[string]string{"": o.Reason}}
		}
		err = s.recount(ctx, t, op.ProjectID, op.ProviderID, row.CopyID, func() error {
			if err := s.releaseCheckpoint(ctx, t, op.ID, row.CopyID); err != nil {
				return err
			}
			return s.endCheckpoint(ctx, t, &ending{projectID: op.ProjectID, providerID: op.ProviderID, checkpointID: row.CopyID}, &outcome)
		})
		if err != nil {
			return err
		}
		return t.exec(ctx, `UPDATE copied_checkpoints SET status = ?, reason = ?, ended_at = ?, done = CASE WHEN ? = '' THEN total ELSE done END
			WHERE copy_id = ? AND position = ?`, string(status), o.Reason, micros(s.now()), o.Reason, op.ID, position)
	})
}

// releaseCheckpoint gives back what an operation has set aside for one of its checkpoints. The
// usages must be locked.
func (s *Store) releaseCheckpoint(ctx context.Context, t *transaction, operationID, checkpointID string) error {
	rows, err := all(ctx, t, scanReservation, `SELECT project_id, resource, delta FROM reservations
		WHERE operation_id = ? AND checkpoint_id = ? AND deleted = 0`, operationID, checkpointID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.changeUsage(ctx, t, r.project, r.resource, Usage{Reserved: -r.delta}); err != nil {
			return err
		}
	}
	return t.exec(ctx, "DELETE FROM reservations WHERE operation_id = ? AND checkpoint_id = ?", operationID, checkpointID)
}
