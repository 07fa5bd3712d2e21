// Package store keeps what Karbor knows in SQL: plans, restores, operation logs,
// accepted operations with their outbox, the catalogue of checkpoints, and the
// local engine's journal. The bank, not this store, is the truth about
// checkpoints. Rows are soft-deleted: they stay, and are no longer seen.
//
// Each noun has a room of its own beneath, with its tables and its public methods; the
// Store is all of them. What spans rooms is here: to accept an operation, to end one, and
// to purge.
//
// Every method is one transaction, and its effect survives a crash once it has
// returned nil. Methods may be called concurrently. Errors have karbor's kinds;
// one that says that the disk is full is transient, and nothing is lost by it.
package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/copies"
	"github.com/karbor/karbor/internal/store/credentials"
	"github.com/karbor/karbor/internal/store/database"
	"github.com/karbor/karbor/internal/store/drills"
	"github.com/karbor/karbor/internal/store/journal"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/leftovers"
	"github.com/karbor/karbor/internal/store/mappings"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/plans"
	"github.com/karbor/karbor/internal/store/replays"
	"github.com/karbor/karbor/internal/store/restores"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/store/schedules"
	"github.com/karbor/karbor/internal/store/services"
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

// The rooms of the store.
type (
	ledgerRoom     = ledger.Store
	planRoom       = plans.Store
	checkpointRoom = checkpoints.Store
	copyRoom       = copies.Store
	restoreRoom    = restores.Store
	drillRoom      = drills.Store
	operationRoom  = operations.Store
	leftoverRoom   = leftovers.Store
	journalRoom    = journal.Store
	scheduleRoom   = schedules.Store
	credentialRoom = credentials.Store
	mappingRoom    = mappings.Store
	replayRoom     = replays.Store
	serviceRoom    = services.Store
)

// Store is an open database. Its methods are those of its rooms, and what spans them.
type Store struct {
	ledgerRoom
	planRoom
	checkpointRoom
	copyRoom
	restoreRoom
	drillRoom
	operationRoom
	leftoverRoom
	journalRoom
	scheduleRoom
	credentialRoom
	mappingRoom
	replayRoom
	serviceRoom

	database *database.DB
	db       *rows.DB
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
	opened, err := database.Open(location, database.Options{Create: true, Server: options.Server})
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, opened, options.Upgrade, logger); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	db := rows.New(opened, options.Now, replays.Mark)
	return &Store{
		ledgerRoom: ledger.New(db), planRoom: plans.New(db),
		checkpointRoom: checkpoints.New(db), copyRoom: copies.New(db), restoreRoom: restores.New(db), drillRoom: drills.New(db),
		operationRoom: operations.New(db), leftoverRoom: leftovers.New(db), journalRoom: journal.New(db),
		scheduleRoom: schedules.New(db, schedules.Options{
			Logger: logger, Window: cmp.Or(options.Window, DefaultWindow), Runs: cmp.Or(options.Runs, DefaultRuns),
		}),
		credentialRoom: credentials.New(db), mappingRoom: mappings.New(db),
		replayRoom: replays.New(db), serviceRoom: services.New(db, options.Program),
		database: opened, db: db,
	}, nil
}

// Close ends the store. Calls that still run fail.
func (s *Store) Close() error { return s.database.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := rows.One(ctx, s.db, rows.Int, "SELECT 1")
	return rows.Failed("asking the database", err)
}

// Time gives the time by the clock of the database's server, which is that of all
// nodes; by the store's own where the database is a file.
func (s *Store) Time(ctx context.Context) (time.Time, error) { return s.db.Time(ctx) }
