package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/karbor/karbor"
)

// This file holds all that only SQLite needs.

// readers is the number of connections for reading. SQLite's readers never wait
// for its writer.
const readers = 4

//go:embed migrations/*.sql
var migrations embed.FS

// begin starts a write transaction. It takes SQLite's write lock at once, so that
// the transaction never has to be given up half-way.
const begin = "BEGIN IMMEDIATE"

// openSQLite opens the two pools of a database file: one connection that writes,
// and several that only read.
func openSQLite(path string) (writer, reader *sql.DB, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	// SQLite itself would make a file that everybody may read.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("opening the database: %w", err)
	}
	base := (&url.URL{Scheme: "file", Path: abs}).String()
	pragmas := "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	writer, err = sql.Open("sqlite", base+pragmas)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	reader, err = sql.Open("sqlite", base+pragmas+"&_pragma=query_only(1)")
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), writer.Close())
	}
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return writer, reader, nil
}

// migrate brings the schema up to date. A database that a newer release has
// changed is refused.
func migrate(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return failed("reading the schema's version", err)
	}
	if have > want {
		return fmt.Errorf("the database's schema has version %d, which is newer than this program's %d", have, want)
	}
	if have == want {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return failed("migrating the database", err)
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "the database's schema was migrated",
		slog.Int64("from", have), slog.Int64("to", want))
	return nil
}

// forUpdate, behind a SELECT, keeps others from changing its rows until the
// transaction ends. SQLite has one writer at a time, and no word for it.
const forUpdate = ""

// upsert is the tail of an INSERT that, if the row of the key is there, sets its
// columns instead.
func upsert(key string, columns ...string) string {
	var b strings.Builder
	b.WriteString(" ON CONFLICT (" + key + ") DO UPDATE SET ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c + " = excluded." + c)
	}
	return b.String()
}

// classified turns the database's own errors into kinds.
func classified(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return &karbor.Error{Kind: karbor.Unavailable, Message: "the database's disk is full", Transient: true, Cause: err}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &karbor.Error{Kind: karbor.Unavailable, Message: "the database is busy", Transient: true, Cause: err}
	case sqlite3.SQLITE_INTERRUPT:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// isDuplicate reports whether err says that a row of the same key is there.
func isDuplicate(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}
