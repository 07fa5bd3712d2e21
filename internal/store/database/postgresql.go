package database

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// This file holds all that only PostgreSQL needs.

const postgresPort = 5432

// openPostgres opens a pool. One that writes runs its transactions as if each were
// alone (SERIALIZABLE); the database undoes one of two that disturb each other, and
// it is run again.
func openPostgres(l location, s Server, writes bool) (*sql.DB, error) {
	address := url.Values{
		"host": {l.host}, "port": {strconv.Itoa(l.portOr(postgresPort))}, "dbname": {l.name},
		"sslmode": {"disable"}, "connect_timeout": {strconv.Itoa(int(connectTimeout.Seconds()))},
	}
	if l.socket != "" {
		address.Set("host", l.socket)
	}
	c, err := pgx.ParseConfig("postgresql:///?" + address.Encode())
	if err != nil {
		// pgx's text may hold what the environment says.
		return nil, errors.New("the address of the PostgreSQL server can't be used")
	}
	if c.TLSConfig, err = s.tls(l); err != nil {
		return nil, err
	}
	c.User, c.Password, c.Fallbacks = l.user, s.Password.Reveal(), nil
	c.RuntimeParams = maps.Clone(postgresReads)
	if writes {
		c.RuntimeParams = maps.Clone(postgresWrites)
	}
	return stdlib.OpenDB(*c), nil
}

var postgresReads = map[string]string{
	"application_name": "karbor", "default_transaction_isolation": "read committed",
	"default_transaction_read_only": "on", "timezone": "UTC",
}

var postgresWrites = map[string]string{
	"application_name": "karbor", "default_transaction_isolation": "serializable",
	"lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s", "timezone": "UTC",
}

// postgresDialect implements dialect.
type postgresDialect struct{ sent }

// besideNumber is an argument that is compared with a number.
var besideNumber = regexp.MustCompile(`\?( (?:=|<>|<=|>=|<|>|\+|-) -?\d)`)

// statement implements dialect. The type of an argument beside a plain number would
// be one of 32 bits.
func (postgresDialect) statement(text string) string {
	n := 0
	return outsideQuotes(text, func(s string) string {
		s = besideNumber.ReplaceAllString(s, "CAST(? AS BIGINT)$1")
		var b strings.Builder
		for i, part := range strings.Split(s, "?") {
			if i > 0 {
				n++
				b.WriteString("$" + strconv.Itoa(n))
			}
			b.WriteString(part)
		}
		return b.String()
	})
}

// pipeline implements pipeliner.
func (postgresDialect) pipeline(ctx context.Context, conn any, list []queued) (int, error) {
	c, ok := conn.(*stdlib.Conn)
	if !ok {
		return 0, errors.New("the connection is not one to PostgreSQL")
	}
	batch := &pgx.Batch{}
	for _, q := range list {
		batch.Queue(q.text, q.args...)
	}
	results := c.Conn().SendBatch(ctx, batch)
	for i := range list {
		tag, err := results.Exec()
		if err == nil && list[i].found && tag.RowsAffected() == 0 {
			err = errNoRow
		}
		if err != nil {
			_ = results.Close() // it fails with the same error, or ends the others
			return i, err
		}
	}
	return len(list), results.Close()
}

func (d postgresDialect) locking(text string) string { return d.statement(text) }

var (
	varcharType = regexp.MustCompile(`\bVARCHAR\(\d+\)`)
	textType    = regexp.MustCompile(`\b(TEXT|JSON)\b`)
)

// migration implements dialect. Texts are compared byte by byte, as on the other
// databases, whatever the database's own collation is. A document is kept as the
// text that it is.
func (postgresDialect) migration(text string) string {
	return outsideQuotes(text, func(s string) string {
		// It computes columns only when they are written.
		s = strings.ReplaceAll(s, " VIRTUAL", " STORED")
		s = varcharType.ReplaceAllString(s, `${0} COLLATE "C"`)
		return textType.ReplaceAllString(s, `TEXT COLLATE "C"`)
	})
}

func (postgresDialect) rowValues() bool { return true }

// postgresFault says what an error of the driver means; nothing for other errors.
func postgresFault(err error) fault {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresCode(e.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fault{sentence: silent, lost: true}
	}
	return fault{}
}

// postgresCode reads an SQLSTATE (PostgreSQL's manual, appendix A).
func postgresCode(code string) fault {
	switch code {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock time-out
		return fault{sentence: busy, again: true}
	case "23505":
		return fault{duplicate: true}
	case "53100", "53200": // disk full, out of memory
		return fault{sentence: diskFull}
	case "53300": // too many connections
		return fault{sentence: noCapacity, lost: true}
	case "57014":
		return fault{cancelled: true}
	case "57P01", "57P02", "57P03", "25P03": // shutdown, crash, start, idle in a transaction
		return fault{sentence: silent, lost: true}
	case "25006": // a stand-by, or a server set to read only
		return fault{sentence: readOnly, lost: true}
	}
	if strings.HasPrefix(code, "08") {
		return fault{sentence: silent, lost: true}
	}
	return fault{}
}

const unlockPostgres = "SELECT pg_advisory_unlock(4203520291)"

// lockPostgres lets one process at a time change the schema.
func lockPostgres(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SET lock_timeout = '10min'"); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(4203520291)")
	return err
}
