package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// Journal gives the local engine's journal.
func (s *Store) Journal() local.Journal { return journal{s} }

// journal implements local.Journal.
type journal struct{ s *Store }

// fence refuses a token that the lease does not have.
func fence(ctx context.Context, t *transaction, token int64) error {
	if token == local.Unfenced {
		return nil
	}
	now, err := one(ctx, t, scanInt, "SELECT token FROM journal_lease WHERE id = 1"+forUpdate)
	if err == nil && now != token {
		return local.ErrFenced
	}
	return err
}

// Create implements local.Journal.
func (j journal) Create(ctx context.Context, token int64, op local.OperationRecord, steps []workflow.Step) (bool, error) {
	err := j.s.write(ctx, "journalling the operation "+op.ID, func(t *transaction) error {
		return insertJournal(ctx, t, token, op, steps)
	})
	if isDuplicate(err) {
		return false, nil
	}
	return err == nil, err
}

// insertJournal journals a new operation.
func insertJournal(ctx context.Context, t *transaction, token int64, op local.OperationRecord, steps []workflow.Step) error {
	if err := fence(ctx, t, token); err != nil {
		return err
	}
	err := t.later(ctx, `INSERT INTO journal_operations (id, state, requested, closing, cancelled, created_at,
		started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, op.ID, string(op.State), op.Requested,
		truth(op.Closing), truth(op.Cancelled), micros(op.CreatedAt), microsOrNull(op.StartedAt),
		microsOrNull(op.EndedAt))
	if err != nil {
		return err
	}
	page := 0
	for chunk := range slices.Chunk(steps, workflow.MaxPage) {
		err := t.later(ctx, "INSERT INTO journal_pages (operation_id, page, steps) VALUES (?, ?, ?)",
			op.ID, page, document{chunk})
		if err != nil {
			return err
		}
		page++
	}
	return nil
}

var putStep = `INSERT INTO journal_steps (operation_id, position, state, attempts, failures, done, total, error,
	due_at, ended_at, fail_order) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` +
	upsert("operation_id, position", "state", "attempts", "failures", "done", "total", "error", "due_at", "ended_at",
		"fail_order")

// Record implements local.Journal.
func (j journal) Record(ctx context.Context, token int64, batch local.Batch) error {
	return j.s.write(ctx, "journalling steps", func(t *transaction) error {
		if err := fence(ctx, t, token); err != nil {
			return err
		}
		for i := range batch.Steps {
			r := &batch.Steps[i]
			err := t.later(ctx, putStep, r.Operation, r.Position, string(r.State), r.Attempts, r.Failures, r.Done,
				r.Total, r.Error, microsOrNull(r.Due), microsOrNull(r.EndedAt), r.Order)
			if err != nil {
				return err
			}
		}
		for i := range batch.Operations {
			o := &batch.Operations[i]
			// The request to cancel is others' to write.
			err := t.later(ctx, `UPDATE journal_operations SET state = ?, closing = ?, cancelled = ?, started_at = ?,
				ended_at = ? WHERE id = ?`, string(o.State), truth(o.Closing), truth(o.Cancelled),
				microsOrNull(o.StartedAt), microsOrNull(o.EndedAt), o.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const journalColumns = "id, state, requested, closing, cancelled, created_at, started_at, ended_at"

func scanJournalOperation(rows *sql.Rows) (local.OperationRecord, error) {
	var o local.OperationRecord
	err := rows.Scan(&o.ID, (*string)(&o.State), &o.Requested, &o.Closing, &o.Cancelled, timeColumn{&o.CreatedAt},
		timeColumn{&o.StartedAt}, timeColumn{&o.EndedAt})
	return o, err
}

// Load implements local.Journal.
func (j journal) Load(ctx context.Context, id string) (local.Recorded, error) {
	op, err := one(ctx, j.s.reader, scanJournalOperation,
		"SELECT "+journalColumns+" FROM journal_operations WHERE id = ?", id)
	if err != nil {
		return local.Recorded{}, missing(err, "operation", id)
	}
	found := local.Recorded{OperationRecord: op}
	pages, err := all(ctx, j.s.reader, scanSteps,
		"SELECT page, steps FROM journal_pages WHERE operation_id = ? ORDER BY page", id)
	if err != nil {
		return local.Recorded{}, failed("reading the steps of the operation "+id, err)
	}
	for n, p := range pages {
		if p.number != int64(n) {
			return local.Recorded{}, fmt.Errorf("reading the steps of the operation %s: %w: page %d is missing", id, workflow.ErrDamaged, n)
		}
		found.Steps = append(found.Steps, p.steps...)
	}
	found.Records, err = all(ctx, j.s.reader, scanStepRecord, `SELECT operation_id, position, state, attempts, failures,
		done, total, error, due_at, ended_at, fail_order FROM journal_steps WHERE operation_id = ?
		ORDER BY position`, id)
	if err == nil {
		err = found.Check()
	}
	return found, failed("reading the steps of the operation "+id, err)
}

// journalPage is a page of the steps of an operation.
type journalPage struct {
	number int64
	steps  []workflow.Step
}

func scanSteps(rows *sql.Rows) (journalPage, error) {
	var p journalPage
	err := rows.Scan(&p.number, document{&p.steps})
	return p, damaged(err)
}

// damaged marks an error of what is kept in a row, and not of reading it.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", workflow.ErrDamaged, err)
}

func scanStepRecord(rows *sql.Rows) (local.StepRecord, error) {
	var r local.StepRecord
	err := rows.Scan(&r.Operation, &r.Position, (*string)(&r.State), &r.Attempts, &r.Failures, &r.Done, &r.Total,
		&r.Error, timeColumn{&r.Due}, timeColumn{&r.EndedAt}, &r.Order)
	return r, damaged(err)
}

// Unfinished implements local.Journal.
func (j journal) Unfinished(ctx context.Context) ([]local.OperationRecord, error) {
	found, err := all(ctx, j.s.reader, scanJournalOperation, "SELECT "+journalColumns+
		" FROM journal_operations WHERE ended_at IS NULL ORDER BY created_at, id")
	return found, failed("listing the unfinished operations", err)
}

// RequestCancel implements local.Journal.
func (j journal) RequestCancel(ctx context.Context, id, reason string) error {
	return j.s.write(ctx, "cancelling the operation "+id, func(t *transaction) error {
		o, err := one(ctx, t, scanJournalOperation,
			"SELECT "+journalColumns+" FROM journal_operations WHERE id = ?"+forUpdate, id)
		switch {
		case err != nil:
			return missing(err, "operation", id)
		case o.State.Ended():
			return karbor.Errorf(karbor.Conflict, "the operation %s is over", id)
		case o.Requested != "":
			return nil
		case o.Closing:
			return karbor.Errorf(karbor.Conflict, "the operation %s is ending", id)
		}
		err = t.exec(ctx, "UPDATE journal_operations SET requested = ? WHERE id = ?", reason, id)
		return err
	})
}

// Forget implements local.Journal.
func (j journal) Forget(ctx context.Context, id string) error {
	return j.s.write(ctx, "forgetting the operation "+id, func(t *transaction) error {
		state, err := one(ctx, t, scanText, "SELECT state FROM journal_operations WHERE id = ?"+forUpdate, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		case !workflow.State(state).Ended():
			return karbor.Errorf(karbor.Conflict, "the operation %s is not over", id)
		}
		for _, query := range forgetJournal() {
			if err := t.exec(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

type lease struct {
	token   int64
	owner   string
	expires time.Time
}

func scanLease(rows *sql.Rows) (lease, error) {
	var l lease
	err := rows.Scan(&l.token, &l.owner, timeColumn{&l.expires})
	return l, err
}

// Acquire implements local.Journal.
func (j journal) Acquire(ctx context.Context, owner string, now time.Time, lasting time.Duration) (int64, time.Time, error) {
	var held lease
	err := j.s.write(ctx, "taking the journal's lease", func(t *transaction) error {
		var err error
		held, err = one(ctx, t, scanLease, "SELECT token, owner, expires_at FROM journal_lease WHERE id = 1"+forUpdate)
		if err != nil {
			return err
		}
		if held.owner != "" && held.owner != owner && held.expires.After(now) {
			return local.ErrHeld
		}
		held = lease{token: held.token + 1, expires: now.Add(lasting)}
		err = t.exec(ctx, "UPDATE journal_lease SET token = ?, owner = ?, expires_at = ? WHERE id = 1",
			held.token, owner, micros(held.expires))
		return err
	})
	if err != nil {
		return 0, held.expires, err
	}
	return held.token, held.expires, nil
}

// Renew implements local.Journal.
func (j journal) Renew(ctx context.Context, token int64, now time.Time, lasting time.Duration) error {
	return j.s.write(ctx, "renewing the journal's lease", func(t *transaction) error {
		if err := fence(ctx, t, token); err != nil {
			return err
		}
		err := t.exec(ctx, "UPDATE journal_lease SET expires_at = ? WHERE id = 1", micros(now.Add(lasting)))
		return err
	})
}

// Release implements local.Journal.
func (j journal) Release(ctx context.Context, token int64) error {
	return j.s.write(ctx, "giving the journal's lease back", func(t *transaction) error {
		err := t.exec(ctx, "UPDATE journal_lease SET owner = '', expires_at = 0 WHERE id = 1 AND token = ?", token)
		return err
	})
}
