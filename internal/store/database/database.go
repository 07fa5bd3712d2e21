// Package database is one way to reach SQLite, PostgreSQL, and MariaDB or MySQL:
// their pools, transactions, errors and migrations. Statements are written once, in
// the part of SQL that all of them share, with ? for arguments, VARCHAR, TEXT,
// BIGINT, SMALLINT and JSON for columns, and Upsert and ForUpdate for what has no
// common word.
//
// A transaction that writes runs as if it were alone. On SQLite it is: one
// connection writes. The servers run several at a time at the isolation level
// SERIALIZABLE, and one that they undo for another's sake is run again.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	location location
	dialect  dialect
	writes   *writers
	reads    *statements
	turns    turns
	// schema is the pool that migrations run on.
	schema *sql.DB
}

// Options are those of Open.
type Options struct {
	// Create makes SQLite's file if it is not there.
	Create bool
	// Server is for a server.
	Server Server
}

// idleTime is how long a connection to a server may lie unused.
const idleTime = 5 * time.Minute

// lifeTime is how long a connection to a server is used, so that those behind a
// balancer move on.
const lifeTime = time.Hour

// Open opens the database at a URL (sqlite:///path, postgresql://user@host/name,
// mysql://user@host/name) or the SQLite file at a path. A server is not called
// before the first statement.
func Open(url string, o Options) (*DB, error) {
	l, err := locate(url)
	if err != nil {
		return nil, fmt.Errorf("the database's URL: %w", err)
	}
	db := &DB{location: l}
	switch l.scheme {
	case SQLite:
		if !o.Create {
			if _, err := os.Stat(l.path); errors.Is(err, os.ErrNotExist) {
				return nil, missingFile(l.path)
			}
		}
		writer, reader, err := openSQLite(l.path, o.Create)
		if err != nil {
			return nil, fmt.Errorf("opening the %s: %w", l.what(), err)
		}
		db.dialect, db.schema = sqliteDialect{}, writer
		db.writes, db.reads = newWriters(writer, db.dialect, beginImmediate, 1), newStatements(reader, db.dialect.statement)
	case PostgreSQL:
		db.dialect = postgresDialect{}
		err = db.connect(openPostgres, o.Server)
	case MySQL:
		db.dialect = &mysqlDialect{}
		err = db.connect(openMySQL, o.Server)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the %s: %w", l.what(), err)
	}
	return db, nil
}

// connect makes the two pools of a server: one that writes, one that only reads,
// so that a transaction which waits for a reader never waits for itself.
func (db *DB) connect(open func(location, Server, bool) (*sql.DB, error), s Server) error {
	total := s.MaxConnections
	if total <= 0 {
		total = DefaultMaxConnections
	}
	pool := func(writes bool, size int) (*sql.DB, error) {
		p, err := open(db.location, s, writes)
		if err != nil {
			return nil, err
		}
		p.SetMaxOpenConns(size)
		p.SetMaxIdleConns(size)
		p.SetConnMaxIdleTime(idleTime)
		p.SetConnMaxLifetime(lifeTime)
		return p, nil
	}
	writing := max(total/2, 1)
	// A migration needs a second connection for its lock.
	writer, err := pool(true, writing+1)
	if err != nil {
		return err
	}
	reader, err := pool(false, max(total-total/2, 1))
	if err != nil {
		return errors.Join(err, writer.Close())
	}
	db.schema = writer
	db.writes = newWriters(writer, db.dialect, "BEGIN", writing)
	db.reads = newStatements(reader, db.dialect.statement)
	return nil
}

func (l location) what() string {
	if l.scheme == SQLite {
		return "database " + l.path
	}
	return l.String()
}

// String names the database, without its user, for logs.
func (db *DB) String() string { return db.location.String() }

// Server reports whether the database is a server's.
func (db *DB) Server() bool { return db.location.scheme != SQLite }

// RowValues reports whether the database looks up (a, b) > (?, ?) in an index of a
// and b; if not, it wants a > ? OR a = ? AND b > ?.
func (db *DB) RowValues() bool { return db.dialect.rowValues() }

// Using makes, behind the name of a table in a SELECT, a database use an index that
// would not by itself; "" stands for none. MariaDB would rather read a list backwards
// from its end than begin behind a marker.
func (db *DB) Using(index string) string {
	if index == "" || db.location.scheme != MySQL {
		return ""
	}
	return " FORCE INDEX (" + index + ")"
}

// Statement turns a portable statement into the database's own words.
func (db *DB) Statement(portable string) string { return db.dialect.statement(portable) }

// Close ends the database. Calls that still run fail.
func (db *DB) Close() error { return errors.Join(db.reads.close(), db.writes.close()) }

// Query runs a SELECT that takes a moment, prepared once, outside any transaction. On
// SQLite, a context that ends meanwhile does not stop it.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.read(ctx, func() (*sql.Rows, error) {
		stmt, err := db.reads.get(ctx, query)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return stmt.QueryContext(db.dialect.brief(ctx), args...)
	})
}

// QueryOnce is Query for texts that are too many to be kept prepared.
func (db *DB) QueryOnce(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	observed(ctx, query)
	return db.read(ctx, func() (*sql.Rows, error) {
		return db.reads.db.QueryContext(ctx, db.dialect.statement(query), args...)
	})
}

// readTries is how often a SELECT is sent that meets a lost connection.
const readTries = 3

// read sends a SELECT, again if its connection is gone: it changes nothing.
func (db *DB) read(ctx context.Context, send func() (*sql.Rows, error)) (*sql.Rows, error) {
	for try := 1; ; try++ {
		rows, err := send()
		if err == nil || try == readTries || ctx.Err() != nil || !db.Server() || !understood(err).lost {
			return rows, err
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

// Transaction runs f in a transaction that writes: all that f did is kept, or, if f
// or the database fails, nothing. On a server f may be run several times, each time
// from the start; so it must not add to anything outside of it. After an error of
// the database f must return.
func (db *DB) Transaction(ctx context.Context, f func(t *Tx) error) error {
	return db.writes.do(ctx, f)
}

// TransactionInTurn is Transaction for one that changes a row which others of the same name
// change, too. A server would let them all begin, and undo all but one. So those of this
// process begin one after another; those of other processes are still undone and run again.
func (db *DB) TransactionInTurn(ctx context.Context, name string, f func(t *Tx) error) error {
	if !db.Server() {
		return db.Transaction(ctx, f) // one at a time in any case
	}
	done, err := db.turns.take(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	return db.Transaction(ctx, f)
}
