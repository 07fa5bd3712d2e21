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
	"cmp"
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
	// Program is the version of the program, which the list of services shows of those
	// that report here. It has at most 255 bytes.
	Program string
	// Window is how late a run of a trigger may begin that names no window of its own;
	// DefaultWindow if it is 0. Runs is how many runs of a scheduled operation are kept
	// that are over; DefaultRuns if it is 0.
	Window time.Duration
	Runs   int
}

// The defaults of what is kept of scheduled operations.
const (
	DefaultWindow = 15 * time.Minute
	DefaultRuns   = 5
)

// Server is what the connections to a database server need.
type Server = database.Server

// ErrUncertain is in the chain of the error of a change of which it is not known whether
// it was kept: the connection to the database was lost while it saved.
var ErrUncertain = database.ErrUncertain

// Store is an open database.
type Store struct {
	now    func() time.Time
	db     *database.DB
	reader reader
	// window and runs are those of the options.
	window time.Duration
	runs   int
	logger *slog.Logger
	// program is the version of the program.
	program string
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
	return &Store{
		now: options.Now, db: db, reader: reader{db},
		program: options.Program, logger: logger,
		window: cmp.Or(options.Window, DefaultWindow), runs: cmp.Or(options.Runs, DefaultRuns),
	}, nil
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

// Time gives the time by the clock of the database's server, which is that of all
// nodes; by the store's own where the database is a file.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	at, ok, err := s.db.Time(ctx)
	if err == nil && !ok {
		at = s.now()
	}
	return at, failed("asking the database for the time", err)
}
