package database

import (
	"context"
	"database/sql"
)

// Tx is a running transaction that writes. It is for the goroutine that runs it.
type Tx struct {
	dialect dialect
	writer  *writer
	// failed is the first error of a statement. PostgreSQL has undone the
	// transaction with it, and would say nothing at COMMIT.
	failed error
	// queue are the statements that wait to be sent.
	queue []queued
}

// statement gives the statement of a portable text, on the transaction's
// connection.
func (t *Tx) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	observed(ctx, text)
	if stmt := t.writer.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.writer.conn.PrepareContext(ctx, t.dialect.locking(text))
	if err != nil {
		return nil, err
	}
	t.writer.prepared[text] = stmt
	return stmt, nil
}

// Query runs a SELECT.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return nil, t.fail(err)
	}
	rows, err := stmt.QueryContext(t.dialect.brief(ctx), args...)
	return rows, t.fail(err)
}

// Exec runs a statement, and gives the number of rows that it found to change,
// whether or not they had the new values already.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return 0, t.fail(err)
	}
	result, err := stmt.ExecContext(t.dialect.brief(ctx), args...)
	if err != nil {
		return 0, t.fail(err)
	}
	return result.RowsAffected()
}

func (t *Tx) fail(err error) error {
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// Insert runs an INSERT of one row without Upsert, and reports whether it did: not
// so if a row of the same key is there, after which the transaction can go on.
func (t *Tx) Insert(ctx context.Context, query string, args ...any) (bool, error) {
	if _, ok := t.dialect.(*mysqlDialect); ok {
		// It undoes the statement alone, and a word to the same end would hide
		// other faults.
		_, err := t.Exec(ctx, query, args...)
		if IsDuplicate(err) {
			t.failed = nil
			return false, nil
		}
		return err == nil, err
	}
	n, err := t.Exec(ctx, query+" ON CONFLICT DO NOTHING", args...)
	return n == 1, err
}
