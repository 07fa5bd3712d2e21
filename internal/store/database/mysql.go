package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// This file holds all that only MariaDB and MySQL need.

const mysqlPort = 3306

// mysqlSession is what every connection is told. Modes: a value that does not fit
// is an error; "x" is a name and not a text; || joins texts; a backslash is a
// character like any other.
var mysqlSession = []string{
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO," +
		"NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
	"SET SESSION default_storage_engine = InnoDB, innodb_lock_wait_timeout = 10, time_zone = '+00:00'",
}

const (
	mysqlReads    = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	mysqlReadOnly = "SET SESSION TRANSACTION READ ONLY"
	mysqlWrites   = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
)

// openMySQL opens a pool. One that writes runs its transactions as if each were
// alone: what they read is locked until they end.
func openMySQL(l location, s Server, writes bool) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = l.user, s.Password.Reveal(), l.name
	c.Net, c.Addr = "tcp", net.JoinHostPort(l.host, strconv.Itoa(l.portOr(mysqlPort)))
	if l.socket != "" {
		c.Net, c.Addr = "unix", l.socket
	}
	var err error
	if c.TLS, err = s.tls(l); err != nil {
		return nil, err
	}
	c.Timeout, c.Collation, c.ClientFoundRows, c.Logger = connectTimeout, "utf8mb4_bin", true, &mysql.NopLogger{}
	// The pool's own checks and the transactions' retries see to lost connections.
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	session := append([]string{mysqlReads, mysqlReadOnly}, mysqlSession...)
	if writes {
		session = append([]string{mysqlWrites}, mysqlSession...)
	}
	return sql.OpenDB(greeting{connector, session}), nil
}

// greeting makes connections that have been told some statements.
type greeting struct {
	driver.Connector
	session []string
}

// Connect implements driver.Connector.
func (g greeting) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range g.session {
		execer, ok := conn.(driver.ExecerContext)
		if !ok {
			return nil, errors.Join(errors.New("the driver can't run statements"), conn.Close())
		}
		if _, err := execer.ExecContext(ctx, text, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("setting up a connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// mysqlDialect implements dialect.
type mysqlDialect struct {
	sent
	// collation is that of all texts: byte by byte, as on the other databases.
	collation string
}

var (
	conflictUpdate = regexp.MustCompile(` ON CONFLICT \([^)]*\) DO UPDATE SET `)
	excluded       = regexp.MustCompile(`\bexcluded\.(\w+)`)
)

func (*mysqlDialect) statement(text string) string {
	if !strings.Contains(text, conflictHead) {
		return text
	}
	text = conflictUpdate.ReplaceAllString(text, " ON DUPLICATE KEY UPDATE ")
	return excluded.ReplaceAllString(text, "VALUES($1)")
}

// locking implements dialect. The isolation level alone would lock what is read
// against changes by others, but not against their reading it to the same end: two
// that read and then write would always need a third try.
func (d *mysqlDialect) locking(text string) string {
	if strings.HasPrefix(text, "SELECT ") && !strings.HasSuffix(text, ForUpdate) && !strings.Contains(text, " UNION ") {
		text += ForUpdate
	}
	return d.statement(text)
}

// migration implements dialect. MySQL's own type JSON would reformat a document,
// its TEXT ends at 64 KiB.
func (d *mysqlDialect) migration(text string) string {
	as := " CHARACTER SET utf8mb4 COLLATE " + d.collation
	return outsideQuotes(text, func(s string) string {
		s = varcharType.ReplaceAllString(s, "${0}"+as)
		return textType.ReplaceAllString(s, "LONGTEXT"+as)
	})
}

// detect looks at which server it is.
func (d *mysqlDialect) detect(ctx context.Context, conn *sql.Conn) error {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	d.collation = "utf8mb4_0900_bin"
	if strings.Contains(version, "MariaDB") {
		d.collation = "utf8mb4_nopad_bin"
	}
	return nil
}

func (*mysqlDialect) rowValues() bool { return false }

// mysqlFault says what an error of the driver means; nothing for other errors.
func mysqlFault(err error) fault {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return fault{sentence: silent, lost: true}
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return mysqlNumber(e.Number)
	}
	return fault{}
}

// mysqlNumber reads an error's number (MariaDB's and MySQL's error references).
func mysqlNumber(n uint16) fault {
	switch n {
	case 1205, 1213, 1020: // lock wait time-out, deadlock, changed since it was read
		return fault{sentence: busy, again: true}
	case 1062, 1586:
		return fault{duplicate: true}
	case 1021, 1114: // disk full, table full
		return fault{sentence: diskFull}
	case 1040, 1203, 1226: // too many connections, of all or of the user
		return fault{sentence: noCapacity, lost: true}
	case 1317: // the statement was ended
		return fault{cancelled: true}
	case 1053, 1927, 1047, 1152, 1158, 1159, 1160, 1161: // shutdown, killed, node not ready, network
		return fault{sentence: silent, lost: true}
	case 1290, 1792, 1836: // read only
		return fault{sentence: readOnly, lost: true}
	}
	return fault{}
}

const unlockMySQL = "SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.karbor'))"

// lockMySQL lets one process at a time change the schema.
func lockMySQL(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT(DATABASE(), '.karbor'), 600)").Scan(&got)
	if err == nil && got.Int64 != 1 {
		err = errors.New("another process has been changing the schema for ten minutes")
	}
	return err
}
