package rows

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/database"
)

// Tx is a running transaction that writes. It runs as if it were alone.
// After an error of a statement its function returns: what it has done is undone.
type Tx struct {
	tx  *database.Tx
	now func() time.Time
}

// Now gives the time by the store's own clock, which dates the rows.
func (t *Tx) Now() time.Time { return t.now() }

// Query implements Queryer.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.tx.Query(ctx, query, args...)
}

// Exec runs a statement.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) error {
	_, err := t.tx.Exec(ctx, query, args...)
	return err
}

// Later runs a statement whose failure may come with that of the next one that is not
// later, or with that of the whole transaction. On a server that saves waiting for its
// answer.
func (t *Tx) Later(ctx context.Context, query string, args ...any) error {
	return t.tx.Later(ctx, nil, query, args...)
}

// Require is Later for a SELECT that must find a row: if it finds none, the transaction fails
// with missing.
func (t *Tx) Require(ctx context.Context, missing error, query string, args ...any) error {
	return t.tx.Require(ctx, missing, query, args...)
}

// Add is Later for an INSERT of what must be new: where it is there already, the error is
// karbor.Conflict.
func (t *Tx) Add(ctx context.Context, what, id, query string, args ...any) error {
	return t.tx.Later(ctx, func(err error) error {
		if IsDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "there is %s %s already", what, id)
		}
		return err
	}, query, args...)
}

// Changed runs an UPDATE or DELETE, and gives the number of rows that it found.
func (t *Tx) Changed(ctx context.Context, query string, args ...any) (int64, error) {
	return t.tx.Exec(ctx, query, args...)
}

// Insert runs an INSERT of one row without upsert, and reports whether it did: not
// so if a row of the same key is there, after which the transaction can go on.
func (t *Tx) Insert(ctx context.Context, query string, args ...any) (bool, error) {
	return t.tx.Insert(ctx, query, args...)
}

// Transaction runs f in a transaction: all of it is kept, or nothing. On a server
// f is run again, from the start, when the database has undone it for another's
// sake or its connection was lost: it must change nothing outside of the
// transaction but variables that it sets anew each time.
func (d *DB) Transaction(ctx context.Context, f func(t *Tx) error) error {
	return d.db.Transaction(ctx, func(tx *database.Tx) error { return f(&Tx{tx, d.now}) })
}

// Write is Transaction with an error that says what was being done, and that has
// its kind.
func (d *DB) Write(ctx context.Context, doing string, f func(t *Tx) error) error {
	return Failed(doing, d.Transaction(ctx, d.whole(ctx, f)))
}

// Note is Write for what is noted beside what a request asks for, and goes by itself if that fails:
// the request does not count as carried out by it.
func (d *DB) Note(ctx context.Context, doing string, f func(t *Tx) error) error {
	return Failed(doing, d.Transaction(ctx, f))
}

// WriteOf is Write for a transaction that changes what a project uses. Those of one project
// come one after another in this process: they change the same rows, and a server would undo
// all but one of those that run at the same time. It is a help and no promise, as other
// processes write, too. projectID "" is Write.
func (d *DB) WriteOf(ctx context.Context, projectID, doing string, f func(t *Tx) error) error {
	if projectID == "" {
		return d.Write(ctx, doing, f)
	}
	return Failed(doing, d.db.TransactionInTurn(ctx, projectID, func(tx *database.Tx) error {
		return d.whole(ctx, f)(&Tx{tx, d.now})
	}))
}

// whole adds to f what each transaction does last.
func (d *DB) whole(ctx context.Context, f func(t *Tx) error) func(t *Tx) error {
	return func(t *Tx) error {
		if err := f(t); err != nil {
			return err
		}
		return d.last(ctx, t)
	}
}

// ForUpdate keeps others, behind a SELECT, from changing its rows until the transaction
// ends.
const ForUpdate = database.ForUpdate

// Upsert is the tail of an INSERT that, if the row of the key is there, sets its
// columns instead. key lists all columns of the table's primary key or of its only
// unique index.
func Upsert(key string, columns ...string) string { return database.Upsert(key, columns...) }

// IsDuplicate reports whether err says that a row of the same key is there. The
// transaction must be given up then; after Tx.Insert it need not be.
func IsDuplicate(err error) bool { return database.IsDuplicate(err) }
