package copies

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
)

// Copying says what a request for copies copies: of its plan, the available checkpoints in
// the provider's own bank that a target does not have yet, the oldest first.
type Copying struct {
	Targets []Target
	// Checkpoints, if any, are the only ones.
	Checkpoints []string
	// Make gives the copy of a checkpoint at a target, as it is kept; or, as refused, the
	// reason for which there can't be one. It may be called more than once for each.
	Make func(original karbor.Checkpoint, target string) (made karbor.Checkpoint, refused string)
	// Most is how many copies one request makes.
	Most int
}

// Target is a target of a request for copies.
type Target struct {
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

func scanCopied(row *sql.Rows) (Copied, error) {
	var c Copied
	err := row.Scan(&c.Position, &c.CheckpointID, &c.CopyID, &c.Bank, (*string)(&c.Status), &c.Reason, &c.Attempts,
		&c.Done, &c.Total, &c.Stored, rows.Time(&c.EndedAt))
	return c, err
}

// Copied gives what a request copies, in the order in which it does.
func (s *Store) Copied(ctx context.Context, copyID string) ([]Copied, error) {
	found, err := rows.All(ctx, s.db, scanCopied, "SELECT "+copiedColumns+" FROM copied_checkpoints WHERE copy_id = ? ORDER BY position", copyID)
	return found, rows.Failed("reading what the request "+copyID+" copies", err)
}

// CopiesOf gives the copies of a checkpoint that are not deleted, the oldest first.
func (s *Store) CopiesOf(ctx context.Context, projectID, providerID, id string) ([]karbor.Checkpoint, error) {
	found, err := rows.All(ctx, s.db, checkpoints.Scan, "SELECT "+checkpoints.Listing.Columns+` FROM checkpoints
		WHERE copy_of = ? AND provider_id = ? AND project_id = ? AND deleted = 0 ORDER BY created_at, id`, id, providerID, projectID)
	return found, rows.Failed("looking for the copies of the checkpoint "+id, err)
}

// AddCopied keeps a request for copies and what it copies, with a checkpoint and a reservation
// for each copy, and lists it in the request. It is karbor.Conflict if there is nothing to copy,
// and karbor.OverLimit if a quota does not suffice.
func AddCopied(ctx context.Context, t *rows.Tx, m ledger.Maker, what *Copying, c *karbor.Copy, configured ledger.Limits) error {
	if what.Make == nil {
		return nil
	}
	// Who asks for the same at once waits here, and then sees what this one has kept.
	if err := ledger.HoldCheckpoints(ctx, t, c.ProjectID); err != nil {
		return err
	}
	pairs, err := uncopied(ctx, t, what, c)
	if err != nil {
		return err
	}
	c.Checkpoints = nil
	var made []karbor.Checkpoint
	refusal := ""
	for i, p := range pairs {
		one, refused := what.Make(p.original, p.target)
		status, ended := karbor.CopyWaiting, any(nil)
		if refused != "" {
			one, status, ended, refusal = karbor.Checkpoint{}, karbor.CopyError, rows.Micros(t.Now()), refused
		} else {
			made = append(made, one)
			c.Checkpoints = append(c.Checkpoints, karbor.CopiedCheckpoint{ProtectID: p.original.ID, CopyID: one.ID})
		}
		err := t.Exec(ctx, `INSERT INTO copied_checkpoints (copy_id, position, provider_id, checkpoint_id, copied_id, bank, status,
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
	return insertCheckpoints(ctx, t, m, made, configured)
}

// insertCheckpoints keeps the copies, and sets aside for each what its original holds.
func insertCheckpoints(ctx context.Context, t *rows.Tx, m ledger.Maker, made []karbor.Checkpoint, configured ledger.Limits) error {
	if err := ledger.ReserveAll(ctx, t, m, made, configured); err != nil {
		return err
	}
	for _, one := range made {
		one.Size = 0
		if err := checkpoints.Add(ctx, t, one, karbor.Keeping{}); err != nil {
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
func uncopied(ctx context.Context, t *rows.Tx, what *Copying, c *karbor.Copy) ([]pair, error) {
	type entry struct {
		id string
		at time.Time
	}
	originals, err := rows.All(ctx, t, func(row *sql.Rows) (entry, error) {
		var r entry
		err := row.Scan(&r.id, rows.Time(&r.at))
		return r, err
	}, `SELECT id, created_at FROM checkpoints WHERE plan_id = ? AND provider_id = ? AND project_id = ? AND deleted = 0
		AND bank = '' AND status = ? ORDER BY created_at DESC, id DESC`,
		c.PlanID, c.ProviderID, c.ProjectID, string(karbor.CheckpointAvailable))
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	for _, id := range what.Checkpoints {
		only[id] = true
	}
	var out []pair
	for _, target := range what.Targets {
		there, err := copiedAlready(ctx, t, c, target.Name)
		if err != nil {
			return nil, err
		}
		wanted := originals
		if target.Newest > 0 {
			wanted = wanted[:min(target.Newest, len(wanted))]
		}
		for i := len(wanted) - 1; i >= 0 && len(out) < what.Most; i-- {
			o := wanted[i]
			if there[o.id] || o.at.Before(target.Since) || len(only) > 0 && !only[o.id] {
				continue
			}
			cp, err := checkpoints.Get(ctx, t, c.ProjectID, c.ProviderID, o.id)
			if err != nil {
				return nil, err
			}
			out = append(out, pair{cp, target.Name})
		}
	}
	return out, nil
}

// copiedAlready gives the checkpoints of a plan of which a target has a copy, or gets one.
func copiedAlready(ctx context.Context, t *rows.Tx, c *karbor.Copy, target string) (map[string]bool, error) {
	ids, err := rows.All(ctx, t, rows.Text, `SELECT copy_of FROM checkpoints WHERE plan_id = ? AND provider_id = ? AND deleted = 0
		AND bank = ? AND status IN (?, ?, ?)`, c.PlanID, c.ProviderID, target,
		string(karbor.CheckpointAvailable), string(karbor.CheckpointWaitCopying), string(karbor.CheckpointCopying))
	there := make(map[string]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	return there, err
}

// write is Write for what an attempt of a lane keeps: one whose claim a later one has taken
// (operations.Claimed) keeps nothing, which is karbor.Conflict.
func (s *Store) write(ctx context.Context, doing string, f func(t *rows.Tx) error) error {
	return s.db.Write(ctx, doing, func(t *rows.Tx) error {
		if err := operations.Claimed(ctx, t); err != nil {
			return err
		}
		return f(t)
	})
}

// BeginCopied notes that the copy of a checkpoint has begun.
func (s *Store) BeginCopied(ctx context.Context, copyID string, position int) error {
	return s.write(ctx, "noting that a copy of the request "+copyID+" has begun", func(t *rows.Tx) error {
		now := rows.Micros(s.db.Now())
		err := t.Exec(ctx, "UPDATE copied_checkpoints SET status = ? WHERE copy_id = ? AND position = ? AND ended_at IS NULL",
			string(karbor.CopyCopying), copyID, position)
		if err == nil {
			err = t.Exec(ctx, `UPDATE checkpoints SET status = ?, updated_at = ? WHERE deleted = 0 AND status = ? AND EXISTS
				(SELECT 1 FROM copied_checkpoints c WHERE c.copy_id = ? AND c.position = ? AND c.copied_id = checkpoints.id
				AND c.provider_id = checkpoints.provider_id)`,
				string(karbor.CheckpointCopying), now, string(karbor.CheckpointWaitCopying), copyID, position)
		}
		if err == nil {
			err = t.Exec(ctx, "UPDATE copies SET status = ?, updated_at = ? WHERE id = ? AND status = ?",
				string(karbor.CopyCopying), now, copyID, string(karbor.CopyWaiting))
		}
		return err
	})
}

// MoveCopied keeps how far a copy is. stored is added to what was stored before.
func (s *Store) MoveCopied(ctx context.Context, copyID string, position int, done, total, stored int64) error {
	return s.write(ctx, "keeping how far the request "+copyID+" is", func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE copied_checkpoints SET done = ?, total = ?, stored = stored + ? WHERE copy_id = ? AND position = ?
			AND ended_at IS NULL`, done, total, stored, copyID, position)
	})
}

// FailCopied keeps why a copy has failed that is tried again.
func (s *Store) FailCopied(ctx context.Context, copyID string, position int, reason string) error {
	return s.write(ctx, "keeping why a copy of the request "+copyID+" waits", func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE copied_checkpoints SET attempts = attempts + 1, reason = ? WHERE copy_id = ? AND position = ?
			AND ended_at IS NULL`, reason, copyID, position)
	})
}

// Outcome is how the copy of one checkpoint ended.
type Outcome struct {
	// Reason says why it failed; "" for one that is available.
	Reason string
	// Size and Figures are the copy's, if it is available.
	Size    int64
	Figures map[string]karbor.Figures
}

// EndCopied ends the copy of one checkpoint: the copy is available, or in error, and counts by
// what it holds. A repeat is harmless: the first outcome stays.
func (s *Store) EndCopied(ctx context.Context, op operations.Operation, position int, o Outcome) error {
	return s.write(ctx, "ending a copy of the request "+op.ID, func(t *rows.Tx) error {
		row, err := rows.One(ctx, t, scanCopied, "SELECT "+copiedColumns+` FROM copied_checkpoints
			WHERE copy_id = ? AND position = ?`+rows.ForUpdate, op.ID, position)
		if err != nil {
			return rows.Missing(err, "copy of the request", op.ID)
		}
		if !row.EndedAt.IsZero() {
			return nil
		}
		status := karbor.CopyFinished
		outcome := checkpoints.Ended{Status: karbor.CheckpointAvailable, Size: o.Size, Figures: o.Figures}
		if o.Reason != "" {
			status = karbor.CopyError
			outcome = checkpoints.Ended{Status: karbor.CheckpointError, Reasons: map[string]string{"": o.Reason}}
		}
		err = ledger.Recount(ctx, t, op.ProjectID, op.ProviderID, row.CopyID, func() error {
			if err := ledger.ReleaseCheckpoint(ctx, t, op.ID, row.CopyID); err != nil {
				return err
			}
			return checkpoints.End(ctx, t, checkpoints.Key{ProjectID: op.ProjectID, ProviderID: op.ProviderID, ID: row.CopyID}, outcome)
		})
		if err != nil {
			return err
		}
		return t.Exec(ctx, `UPDATE copied_checkpoints SET status = ?, reason = ?, ended_at = ?, done = CASE WHEN ? = '' THEN total ELSE done END
			WHERE copy_id = ? AND position = ?`, string(status), o.Reason, rows.Micros(s.db.Now()), o.Reason, op.ID, position)
	})
}
