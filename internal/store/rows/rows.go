// Package rows is what all rooms of the store stand on: the open database, its
// transactions, the rows of a SELECT, the pages of a list, and how values lie in their
// columns. It knows no table.
//
// A room's public methods are one transaction each. What a room does to its own tables on
// behalf of others, it does by functions that take the Tx of whoever calls them: so a
// transaction may span rooms, and none of them opens another's.
package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/database"
)

// DB is the open database as the rooms of the store share it.
type DB struct {
	db  *database.DB
	now func() time.Time
	// last runs at the end of each transaction that writes.
	last func(context.Context, *Tx) error
}

// New gives a database to the rooms. now is the clock that dates the rows. last is the last
// that each transaction does that writes: an error of it undoes all.
func New(db *database.DB, now func() time.Time, last func(context.Context, *Tx) error) *DB {
	return &DB{db: db, now: now, last: last}
}

// Queryer runs a SELECT.
type Queryer interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Query implements Queryer outside of transactions. Each text is prepared once: the texts
// are constants of the rooms, or put together from a few of them.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.db.Query(ctx, query, args...)
}

// once runs SELECTs whose texts are too many to be kept prepared.
type once struct{ db *database.DB }

// Query implements Queryer.
func (o once) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return o.db.QueryOnce(ctx, query, args...)
}

// Once gives a Queryer, outside of transactions, for SELECTs whose texts are too many to
// be kept prepared.
func (d *DB) Once() Queryer { return once{d.db} }

// Now gives the time by the store's own clock, which dates the rows.
func (d *DB) Now() time.Time { return d.now() }

// Time gives the time by the clock of the database's server, which is that of all
// nodes; by the store's own where the database is a file.
func (d *DB) Time(ctx context.Context) (time.Time, error) {
	at, ok, err := d.db.Time(ctx)
	if err == nil && !ok {
		at = d.now()
	}
	return at, Failed("asking the database for the time", err)
}

// Moment gives the time that decides what is due: the database's, as that of the operation
// engines is, whatever the clock of this process says.
func (d *DB) Moment(ctx context.Context) (time.Time, error) {
	at, err := d.Time(ctx)
	return at.UTC().Truncate(time.Microsecond), err
}

// One gives the only row of a SELECT, or sql.ErrNoRows.
func One[T any](ctx context.Context, q Queryer, scan func(*sql.Rows) (T, error), query string, args ...any) (T, error) {
	found, err := All(ctx, q, scan, query, args...)
	if err != nil || len(found) == 0 {
		var zero T
		return zero, errors.Join(err, noRows(len(found), err))
	}
	return found[0], nil
}

func noRows(n int, err error) error {
	if err == nil && n == 0 {
		return sql.ErrNoRows
	}
	return nil
}

// All gives the rows of a SELECT.
func All[T any](ctx context.Context, q Queryer, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, rows.Err()
}

// Failed says of an error what was being done, and gives it its kind.
func Failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, database.Classified(err))
}

// Missing turns the absence of a row into karbor.NotFound.
func Missing(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return karbor.Errorf(karbor.NotFound, "the %s %s could not be found", what, id)
	}
	return Failed("reading the "+what+" "+id, err)
}

// FillIn dates a new row, where its maker has not.
func FillIn(now func() time.Time, created, updated *time.Time) {
	if created.IsZero() {
		*created = now()
	}
	if updated.IsZero() {
		*updated = *created
	}
}
