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
)

// Options are those of a store.
type Options struct {
	// Now is the clock that dates the rows; needed.
	Now func() time.Time
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
}

// Store is an open database.
type Store struct {
	now    func() time.Time
	writer *writer
	reader *reader
}

// Open opens the SQLite database in the file at path, which is made if it is not
// there, and brings its schema up to date.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	if options.Now == nil {
		return nil, errors.New("opening the database: no clock was given")
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	writing, reading, err := openSQLite(path)
	if err != nil {
		return nil, err
	}
	s := &Store{now: options.Now, writer: newWriter(writing), reader: newReader(reading)}
	if err := migrate(ctx, writing, logger); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), s.Close())
	}
	return s, nil
}

// Close ends the store. Calls that still run fail.
func (s *Store) Close() error {
	return errors.Join(s.reader.close(), s.writer.close())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s.reader, scanInt, "SELECT 1")
	return failed("asking the database", err)
}

// write runs f in a transaction. doing, which says what for, begins the error's
// text.
func (s *Store) write(ctx context.Context, doing string, f func(t *transaction) error) error {
	return failed(doing, s.writer.do(ctx, f))
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
	return fmt.Errorf("%s: %w", doing, classified(err))
}

// missing turns the absence of a row into karbor.NotFound.
func missing(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return karbor.Errorf(karbor.NotFound, "the %s %s could not be found", what, id)
	}
	return failed("reading the "+what+" "+id, err)
}
