package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/database"
)

// queryer runs a SELECT.
type queryer interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// reader runs SELECTs outside transactions. Each text is prepared once: the texts
// are constants of this package, or put together from a few of them.
type reader struct{ db *database.DB }

func (r reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.db.Query(ctx, query, args...)
}

// unprepared runs SELECTs whose texts are too many to be kept prepared.
type unprepared struct{ reader }

func (u unprepared) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.db.QueryOnce(ctx, query, args...)
}

// transaction is a running transaction that writes. It runs as if it were alone.
// After an error of a statement its function returns: what it has done is undone.
type transaction struct{ tx *database.Tx }

// query implements queryer.
func (t *transaction) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.tx.Query(ctx, query, args...)
}

// exec runs a statement.
func (t *transaction) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.tx.Exec(ctx, query, args...)
	return err
}

// later runs a statement whose failure may come with that of the next one that is not
// later, or with that of the whole transaction. On a server that saves waiting for its
// answer.
func (t *transaction) later(ctx context.Context, query string, args ...any) error {
	return t.tx.Later(ctx, nil, query, args...)
}

// add is later for an INSERT of what must be new: where it is there already, the error is
// karbor.Conflict.
func (t *transaction) add(ctx context.Context, what, id, query string, args ...any) error {
	return t.tx.Later(ctx, func(err error) error {
		if isDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "there is %s %s already", what, id)
		}
		return err
	}, query, args...)
}

// changed runs an UPDATE or DELETE, and gives the number of rows that it found.
func (t *transaction) changed(ctx context.Context, query string, args ...any) (int64, error) {
	return t.tx.Exec(ctx, query, args...)
}

// insert runs an INSERT of one row without upsert, and reports whether it did: not
// so if a row of the same key is there, after which the transaction can go on.
func (t *transaction) insert(ctx context.Context, query string, args ...any) (bool, error) {
	return t.tx.Insert(ctx, query, args...)
}

// inTransaction runs f in a transaction: all of it is kept, or nothing. On a server
// f is run again, from the start, when the database has undone it for another's
// sake or its connection was lost: it must change nothing outside of the
// transaction but variables that it sets anew each time.
func (s *Store) inTransaction(ctx context.Context, f func(t *transaction) error) error {
	return s.db.Transaction(ctx, func(tx *database.Tx) error { return f(&transaction{tx}) })
}

// write is inTransaction with an error that says what was being done, and that has
// its kind.
func (s *Store) write(ctx context.Context, doing string, f func(t *transaction) error) error {
	return failed(doing, s.inTransaction(ctx, func(t *transaction) error {
		if err := f(t); err != nil {
			return err
		}
		return markReplay(ctx, t)
	}))
}

// forUpdate, behind a SELECT, keeps others from changing its rows until the
// transaction ends.
const forUpdate = database.ForUpdate

// upsert is the tail of an INSERT that, if the row of the key is there, sets its
// columns instead. key lists all columns of the table's primary key or of its only
// unique index.
func upsert(key string, columns ...string) string { return database.Upsert(key, columns...) }

// isDuplicate reports whether err says that a row of the same key is there. The
// transaction must be given up then; transaction.insert need not be.
func isDuplicate(err error) bool { return database.IsDuplicate(err) }
