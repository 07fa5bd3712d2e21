// Package journal keeps the local engine's journal and its lease.
package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// Store keeps the journal in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the journal of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Journal gives the local engine's journal.
func (s *Store) Journal() local.Journal { return journal{s} }

// journal implements local.Journal.
type journal struct{ s *Store }

// Fence refuses a token that the lease does not have.
func Fence(ctx context.Context, t *rows.Tx, token int64) error {
	if token == local.Unfenced {
		return nil
	}
	return t.Require(ctx, local.ErrFenced, "SELECT token FROM journal_lease WHERE id = 1 AND token = ?"+rows.ForUpdate, token)
}

// Create implements local.Journal.
func (j journal) Create(ctx context.Context, token int64, op local.OperationRecord, steps []workflow.Step) (bool, error) {
	err := j.s.db.Write(ctx, "journalling the operation "+op.ID, func(t *rows.Tx) error {
		return Add(ctx, t, token, op, steps)
	})
	if rows.IsDuplicate(err) {
		return false, nil
	}
	return err == nil, err
}

// Add journals a new operation.
func Add(ctx context.Context, t *rows.Tx, token int64, op local.OperationRecord, steps []workflow.Step) error {
	if err := Fence(ctx, t, token); err != nil {
		return err
	}
	err := t.Later(ctx, `INSERT INTO journal_operations (id, share, state, requested, closing, cancelled, created_at,
		started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, op.ID, op.Share, string(op.State), op.Requested,
		rows.Truth(op.Closing), rows.Truth(op.Cancelled), rows.Micros(op.CreatedAt), rows.MicrosOrNull(op.StartedAt),
		rows.MicrosOrNull(op.EndedAt))
	if err != nil {
		return err
	}
	page := 0
	for chunk := range slices.Chunk(steps, workflow.MaxPage) {
		err := t.Later(ctx, "INSERT INTO journal_pages (operation_id, page, steps) VALUES (?, ?, ?)",
			op.ID, page, rows.Document(chunk))
		if err != nil {
			return err
		}
		page++
	}
	return nil
}

var putStep = `INSERT INTO journal_steps (operation_id, position, state, attempts, failures, done, total, error,
	due_at, ended_at, fail_order) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` +
	rows.Upsert("operation_id, position", "state", "attempts", "failures", "done", "total", "error", "due_at", "ended_at",
		"fail_order")

// Record implements local.Journal.
func (j journal) Record(ctx context.Context, token int64, batch local.Batch) error {
	return j.s.db.Write(ctx, "journalling steps", func(t *rows.Tx) error {
		if err := Fence(ctx, t, token); err != nil {
			return err
		}
		for i := range batch.Steps {
			r := &batch.Steps[i]
			err := t.Later(ctx, putStep, r.Operation, r.Position, string(r.State), r.Attempts, r.Failures, r.Done,
				r.Total, r.Error, rows.MicrosOrNull(r.Due), rows.MicrosOrNull(r.EndedAt), r.Order)
			if err != nil {
				return err
			}
		}
		for i := range batch.Operations {
			o := &batch.Operations[i]
			// The request to cancel is others' to write.
			err := t.Later(ctx, `UPDATE journal_operations SET state = ?, closing = ?, cancelled = ?, started_at = ?,
				ended_at = ? WHERE id = ?`, string(o.State), rows.Truth(o.Closing), rows.Truth(o.Cancelled),
				rows.MicrosOrNull(o.StartedAt), rows.MicrosOrNull(o.EndedAt), o.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const journalColumns = "id, share, state, requested, closing, cancelled, created_at, started_at, ended_at"

func scanJournalOperation(row *sql.Rows) (local.OperationRecord, error) {
	var o local.OperationRecord
	err := row.Scan(&o.ID, &o.Share, (*string)(&o.State), &o.Requested, &o.Closing, &o.Cancelled, rows.Time(&o.CreatedAt),
		rows.Time(&o.StartedAt), rows.Time(&o.EndedAt))
	return o, err
}

// Load implements local.Journal.
func (j journal) Load(ctx context.Context, id string) (local.Recorded, error) {
	op, err := rows.One(ctx, j.s.db, scanJournalOperation,
		"SELECT "+journalColumns+" FROM journal_operations WHERE id = ?", id)
	if err != nil {
		return local.Recorded{}, rows.Missing(err, "operation", id)
	}
	found := local.Recorded{OperationRecord: op}
	pages, err := rows.All(ctx, j.s.db, scanSteps,
		"SELECT page, steps FROM journal_pages WHERE operation_id = ? ORDER BY page", id)
	if err != nil {
		return local.Recorded{}, rows.Failed("reading the steps of the operation "+id, err)
	}
	for n, p := range pages {
		if p.number != int64(n) {
			return local.Recorded{}, fmt.Errorf("reading the steps of the operation %s: %w: page %d is missing", id, workflow.ErrDamaged, n)
		}
		found.Steps = append(found.Steps, p.steps...)
	}
	found.Records, err = rows.All(ctx, j.s.db, scanStepRecord, `SELECT operation_id, position, state, attempts, failures,
		done, total, error, due_at, ended_at, fail_order FROM journal_steps WHERE operation_id = ?
		ORDER BY position`, id)
	if err == nil {
		err = found.Check()
	}
	return found, rows.Failed("reading the steps of the operation "+id, err)
}

// journalPage is a page of the steps of an operation.
type journalPage struct {
	number int64
	steps  []workflow.Step
}

func scanSteps(row *sql.Rows) (journalPage, error) {
	var p journalPage
	err := row.Scan(&p.number, rows.Document(&p.steps))
	return p, damaged(err)
}

// damaged marks an error of what is kept in a row, and not of reading it.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", workflow.ErrDamaged, err)
}

func scanStepRecord(row *sql.Rows) (local.StepRecord, error) {
	var r local.StepRecord
	err := row.Scan(&r.Operation, &r.Position, (*string)(&r.State), &r.Attempts, &r.Failures, &r.Done, &r.Total,
		&r.Error, rows.Time(&r.Due), rows.Time(&r.EndedAt), &r.Order)
	return r, damaged(err)
}

// RequestCancel implements local.Journal.
func (j journal) RequestCancel(ctx context.Context, id, reason string) error {
	return j.s.db.Write(ctx, "cancelling the operation "+id, func(t *rows.Tx) error {
		o, err := rows.One(ctx, t, scanJournalOperation,
			"SELECT "+journalColumns+" FROM journal_operations WHERE id = ?"+rows.ForUpdate, id)
		switch {
		case err != nil:
			return rows.Missing(err, "operation", id)
		case o.State.Ended():
			return karbor.Errorf(karbor.Conflict, "the operation %s is over", id)
		case o.Requested != "":
			return nil
		case o.Closing:
			return karbor.Errorf(karbor.Conflict, "the operation %s is ending", id)
		}
		err = t.Exec(ctx, "UPDATE journal_operations SET requested = ? WHERE id = ?", reason, id)
		return err
	})
}

// Forget implements local.Journal.
func (j journal) Forget(ctx context.Context, id string) error {
	return j.s.db.Write(ctx, "forgetting the operation "+id, func(t *rows.Tx) error {
		state, err := rows.One(ctx, t, rows.Text, "SELECT state FROM journal_operations WHERE id = ?"+rows.ForUpdate, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		case !workflow.State(state).Ended():
			return karbor.Errorf(karbor.Conflict, "the operation %s is not over", id)
		}
		for _, query := range Forget() {
			if err := t.Exec(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget are the statements that remove an operation from the journal.
func Forget() []string {
	return []string{
		"DELETE FROM journal_steps WHERE operation_id = ?",
		"DELETE FROM journal_pages WHERE operation_id = ?",
		"DELETE FROM journal_operations WHERE id = ?",
	}
}
