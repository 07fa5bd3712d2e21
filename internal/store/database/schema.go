package database

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// Schema says how far a database's schema is.
type Schema struct {
	// Version is the newest migration that the database has, 0 for none.
	Version int64
	// Wanted is the newest migration of this program.
	Wanted int64
	// Pending are the migrations, by the names of their files, that the database
	// does not have. Older ones than Version may be among them.
	Pending []string
}

// Newer reports whether a newer program has changed the database.
func (s Schema) Newer() bool { return s.Version > s.Wanted }

// ErrNewer says that a newer program has changed the database's schema.
var ErrNewer = errors.New("the database's schema is newer than this program")

// Schema compares the database with the migrations in files, which lie there as
// NUMBER_name.sql. It changes nothing.
func (db *DB) Schema(ctx context.Context, files fs.FS) (Schema, error) {
	s, err := db.schemaOf(ctx, files)
	if err != nil {
		return s, fmt.Errorf("reading the schema's version of the %s: %w", db.location.what(), Classified(err))
	}
	return s, nil
}

func (db *DB) schemaOf(ctx context.Context, files fs.FS) (Schema, error) {
	var s Schema
	applied, err := db.applied(ctx)
	if err != nil {
		return s, err
	}
	for _, v := range applied {
		s.Version = max(s.Version, v)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return s, err
	}
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return s, fmt.Errorf("the migration %s has no number", name)
		}
		s.Wanted = max(s.Wanted, v)
		if !slices.Contains(applied, v) {
			s.Pending = append(s.Pending, name)
		}
	}
	return s, nil
}

// versionTable is where the migrations are noted that a database has.
const versionTable = "goose_db_version"

// applied gives the numbers of the migrations that the database has.
func (db *DB) applied(ctx context.Context) ([]int64, error) {
	tables, err := db.Tables(ctx)
	if err != nil || !slices.Contains(tables, versionTable) {
		return nil, err
	}
	rows, err := db.QueryOnce(ctx, "SELECT version_id, is_applied FROM "+versionTable+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	has := map[int64]bool{}
	for rows.Next() {
		var version int64
		var is bool
		if err := rows.Scan(&version, &is); err != nil {
			return nil, err
		}
		has[version] = is
	}
	var found []int64
	for version, is := range has {
		if is {
			found = append(found, version)
		}
	}
	return found, rows.Err()
}

// Tables lists the tables of the database.
func (db *DB) Tables(ctx context.Context) ([]string, error) {
	query := map[string]string{
		SQLite:     "SELECT name FROM sqlite_master WHERE type = 'table'",
		PostgreSQL: "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
		MySQL:      "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
	}[db.location.scheme]
	rows, err := db.QueryOnce(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Migrate applies the migrations in files that the database does not have, up to
// the number given or, with 0, all of them. Of several processes that do so at a
// time on a server one does, and the others wait for it. A database that a newer
// program has changed is ErrNewer.
func (db *DB) Migrate(ctx context.Context, files fs.FS, upTo int64) error {
	if err := db.migrate(ctx, files, upTo); err != nil {
		return fmt.Errorf("migrating the %s: %w", db.location.what(), Classified(err))
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, files fs.FS, upTo int64) error {
	if db.Server() {
		conn, err := db.schema.Conn(ctx)
		if err != nil {
			return err
		}
		// Closing ends its session only with the pool, so the lock is given back.
		defer func() { _ = conn.Close() }()
		unlock, err := db.lock(ctx, conn)
		if err != nil {
			return err
		}
		defer unlock()
	}
	s, err := db.schemaOf(ctx, files)
	if err != nil {
		return err
	}
	if s.Newer() {
		return fmt.Errorf("%w: it has version %d, and this program knows %d", ErrNewer, s.Version, s.Wanted)
	}
	if len(s.Pending) == 0 {
		return nil
	}
	name := map[string]goose.Dialect{
		SQLite: goose.DialectSQLite3, PostgreSQL: goose.DialectPostgres, MySQL: goose.DialectMySQL,
	}[db.location.scheme]
	provider, err := goose.NewProvider(name, db.schema, translated{files, db.dialect.migration},
		goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if upTo > 0 {
		_, err = provider.UpTo(ctx, upTo)
	} else {
		_, err = provider.Up(ctx)
	}
	return err
}

// lock keeps other processes from changing the schema, and reads what of the server
// migrations depend on.
func (db *DB) lock(ctx context.Context, conn *sql.Conn) (unlock func(), err error) {
	take, release := lockPostgres, unlockPostgres
	if d, ok := db.dialect.(*mysqlDialect); ok {
		if err := d.detect(ctx, conn); err != nil {
			return nil, err
		}
		take, release = lockMySQL, unlockMySQL
	}
	if err := take(ctx, conn); err != nil {
		return nil, err
	}
	return func() {
		// A lock that can't be given back goes with its connection.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), release)
	}, nil
}

// translated are migrations in the database's own words.
type translated struct {
	fs.FS
	translate func(string) string
}

// Open implements fs.FS.
func (t translated) Open(name string) (fs.File, error) {
	if path.Ext(name) != ".sql" {
		return t.FS.Open(name)
	}
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return translatedFile{f, bytes.NewReader([]byte(t.translate(string(text))))}, nil
}

type translatedFile struct {
	fs.File
	text *bytes.Reader
}

// Read implements fs.File.
func (f translatedFile) Read(p []byte) (int, error) { return f.text.Read(p) }
