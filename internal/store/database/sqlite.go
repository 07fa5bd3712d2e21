package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file holds all that only SQLite needs.

// readers is the number of connections for reading. SQLite's readers never wait
// for its writer.
const readers = 4

// beginImmediate starts a write transaction. It takes SQLite's write lock at once,
// so that the transaction never has to be given up half-way.
const beginImmediate = "BEGIN IMMEDIATE"

// openSQLite opens the two pools of a database file: one connection that writes,
// and several that only read. It makes the file if it is not there and create says
// so.
func openSQLite(path string, create bool) (writer, reader *sql.DB, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	pragmas := "?_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	flags := os.O_RDWR
	if create {
		// This changes the file, which who only looks at it does not.
		pragmas += "&_pragma=journal_mode(WAL)"
		flags |= os.O_CREATE
	}
	// SQLite itself would make a file that everybody may read.
	f, err := os.OpenFile(abs, flags, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	base := (&url.URL{Scheme: "file", Path: abs}).String()
	writer, err = sql.Open("sqlite", base+pragmas)
	if err != nil {
		return nil, nil, err
	}
	reader, err = sql.Open("sqlite", base+pragmas+"&_pragma=query_only(1)")
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return writer, reader, nil
}

// sqliteDialect implements dialect.
type sqliteDialect struct{}

// statement implements dialect. There is one writer at a time, and no word for
// locking rows.
func (sqliteDialect) statement(text string) string { return strings.TrimSuffix(text, ForUpdate) }

func (d sqliteDialect) locking(text string) string { return d.statement(text) }

var jsonType = regexp.MustCompile(`\bJSON\b`)

// migration implements dialect. A column that is declared as JSON would turn a
// document that is a bare number into a number.
func (sqliteDialect) migration(text string) string {
	return outsideQuotes(text, func(s string) string { return jsonType.ReplaceAllString(s, "TEXT") })
}

// brief implements dialect. For a context that can end, the driver and database/sql
// start a goroutine each, for every statement, and that takes longer than most
// statements do.
func (sqliteDialect) brief(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func (sqliteDialect) rowValues() bool { return true }

// sqliteFault says what an error of the driver means; nothing for other errors.
func sqliteFault(err error) fault {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return fault{}
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return fault{duplicate: true}
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fault{sentence: diskFull}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault{sentence: busy}
	case sqlite3.SQLITE_INTERRUPT:
		return fault{cancelled: true}
	}
	return fault{}
}

// missingFile says that there is no database file yet.
func missingFile(path string) error {
	return fmt.Errorf("there is no database at %s: the first start of the service makes it", path)
}
