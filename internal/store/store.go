// Package store keeps what Karbor knows in SQL: plans, restores, operation logs,
// accepted operations with their outbox, the catalogue of checkpoints, and the
// local engine's journal. The bank, not this store, is the truth about
// checkpoints. Rows are soft-deleted: they stay, and are no longer seen.
//
// Every method is one transaction, and its effect survives a crash once it has
// returned nil. Methods may be called concurrently. Errors have karbor's kinds;
// one that says that the disk is full is transient, and nothing is lost by it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/database"
)

// Options are those of a store.
type Options struct {
	// Now is the clock that dates the rows; needed.
	Now func() time.Time
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
	// Server is what the connections to a database server need.
	Server Server
	// Upgrade brings the schema of a database server up to date, as that of an
	// SQLite file always is. Without it an older schema is refused.
	Upgrade bool
}

// Server is what the connections to a database server need.
type Server = database.Server

// Store is an open database.
type Store struct {
	now    func() time.Time
	db     *database.DB
	reader reader
}

// Open opens the database at a URL (sqlite:///path, postgresql://user@host/name,
// mysql://user@host/name) or the SQLite file at a path, which is made if it is not
// there. A schema that is newer than this program is refused.
func Open(ctx context.Context, location string, options Options) (*Store, error) {
	if options.Now == nil {
		return nil, errors.New("opening the database: no clock was given")
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	db, err := database.Open(location, database.Options{Create: true, Server: options.Server})
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, db, options.Upgrade, logger); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{now: options.Now, db: db, reader: reader{db}}, nil
}

// Close ends the store. Calls that still run fail.
func (s *Store) Close() error { return s.db.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s.reader, scanInt, "SELECT 1")
	return failed("asking the database", err)
}

// one gives the only row of a SELECT, or sql.ErrNoRows.
func one[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), query string, args ...any) (T, error) {
	found, err := all(ctx, q, scan, query, args...)
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

// all gives the rows of a SELECT.
func all[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.query(ctx, query, args...)
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

// failed says of an error what was being done, and gives it its kind.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, database.Classified(err))
}

// missing turns the absence of a row into karbor.NotFound.
func missing(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return karbor.Errorf(karbor.NotFound, "the %s %s could not be found", what, id)
	}
	return failed("reading the "+what+" "+id, err)
}
