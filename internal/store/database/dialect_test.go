package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/karbor/karbor"
)

func TestStatementsAreWrittenInEachDatabasesWords(t *testing.T) {
	upsert := "INSERT INTO t (a, b) VALUES (?, '?')" + Upsert("a", "b", "c")
	tests := []struct {
		d          dialect
		text, want string
	}{
		{sqliteDialect{}, upsert, upsert},
		{postgresDialect{}, upsert, "INSERT INTO t (a, b) VALUES ($1, '?') ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = excluded.c"},
		{&mysqlDialect{}, upsert, "INSERT INTO t (a, b) VALUES (?, '?') ON DUPLICATE KEY UPDATE b = VALUES(b), c = VALUES(c)"},
		{sqliteDialect{}, "SELECT 1 FROM t WHERE a = ?" + ForUpdate, "SELECT 1 FROM t WHERE a = ?"},
		{postgresDialect{}, "SELECT ? FROM t WHERE a = ? AND b = \"?\" -- ?\n OR c = ?" + ForUpdate,
			"SELECT $1 FROM t WHERE a = $2 AND b = \"?\" -- ?\n OR c = $3 FOR UPDATE"},
		{postgresDialect{}, "UPDATE t SET n = CASE WHEN ? = 0 THEN n - ? ELSE ? END", "UPDATE t SET n = CASE WHEN CAST($1 AS BIGINT) = 0 THEN n - $2 ELSE $3 END"},
	}
	for _, test := range tests {
		if got := test.d.statement(test.text); got != test.want {
			t.Errorf("%T: %s\nwant %s", test.d, got, test.want)
		}
	}
}

func TestMariaDBLocksWhatATransactionReads(t *testing.T) {
	tests := map[string]string{
		"SELECT COUNT(*) FROM t":            "SELECT COUNT(*) FROM t FOR UPDATE",
		"SELECT a FROM t" + ForUpdate:       "SELECT a FROM t FOR UPDATE",
		"UPDATE t SET a = 1":                "UPDATE t SET a = 1",
		"SELECT 1 UNION SELECT a FROM t":    "SELECT 1 UNION SELECT a FROM t",
		"INSERT INTO t (a) SELECT b FROM u": "INSERT INTO t (a) SELECT b FROM u",
	}
	for text, want := range tests {
		if got := (&mysqlDialect{}).locking(text); got != want {
			t.Errorf("%s becomes %s", text, got)
		}
	}
}

func TestMigrationsAreWrittenInEachDatabasesWords(t *testing.T) {
	const text = "-- A plan's JSON\nCREATE TABLE t (a VARCHAR(36) NOT NULL DEFAULT 'JSON', b JSON, c TEXT, d BIGINT VIRTUAL);"
	tests := []struct {
		d    dialect
		want string
	}{
		{sqliteDialect{}, "-- A plan's JSON\nCREATE TABLE t (a VARCHAR(36) NOT NULL DEFAULT 'JSON', b TEXT, c TEXT, d BIGINT VIRTUAL);"},
		{postgresDialect{}, "-- A plan's JSON\nCREATE TABLE t (a VARCHAR(36) COLLATE \"C\" NOT NULL DEFAULT 'JSON', b TEXT COLLATE \"C\", c TEXT COLLATE \"C\", d BIGINT STORED);"},
		{&mysqlDialect{collation: "x"}, "-- A plan's JSON\nCREATE TABLE t (a VARCHAR(36) CHARACTER SET utf8mb4 COLLATE x NOT NULL DEFAULT 'JSON', " +
			"b LONGTEXT CHARACTER SET utf8mb4 COLLATE x, c LONGTEXT CHARACTER SET utf8mb4 COLLATE x, d BIGINT VIRTUAL);"},
	}
	for _, test := range tests {
		if got := test.d.migration(text); got != test.want {
			t.Errorf("%T: %s\nwant %s", test.d, got, test.want)
		}
	}
}

func FuzzOutsideQuotesLosesNothing(f *testing.F) {
	for _, s := range []string{"", "a 'b' c", "'", "--", "-", "a--'\nb'c'", `"a'b"-'`, "a - b -- c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := outsideQuotes(s, func(s string) string { return s }); got != s {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

func TestErrorsOfDatabasesHaveKinds(t *testing.T) {
	postgres := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code}) }
	maria := func(n uint16) error { return fmt.Errorf("x: %w", &mysql.MySQLError{Number: n}) }
	tests := []struct {
		name             string
		err              error
		kind             karbor.Kind
		again, duplicate bool
	}{
		{"serialization failure", postgres("40001"), karbor.Unavailable, true, false},
		{"deadlock", postgres("40P01"), karbor.Unavailable, true, false},
		{"deadlock", maria(1213), karbor.Unavailable, true, false},
		{"lock wait time-out", maria(1205), karbor.Unavailable, true, false},
		{"shutdown", postgres("57P01"), karbor.Unavailable, true, false},
		{"lost", io.ErrUnexpectedEOF, karbor.Unavailable, true, false},
		{"lost", driver.ErrBadConn, karbor.Unavailable, true, false},
		{"lost", mysql.ErrInvalidConn, karbor.Unavailable, true, false},
		{"lost at COMMIT", errors.Join(ErrUncertain, io.EOF), karbor.Unavailable, false, false},
		{"disk full", postgres("53100"), karbor.Unavailable, false, false},
		{"disk full", maria(1021), karbor.Unavailable, false, false},
		{"duplicate", postgres("23505"), karbor.Internal, false, true},
		{"duplicate", maria(1062), karbor.Internal, false, true},
		{"syntax", postgres("42601"), karbor.Internal, false, false},
		{"an answer", karbor.Errorf(karbor.Conflict, "no"), karbor.Conflict, false, false},
		{"cancelled", context.Canceled, karbor.Internal, false, false},
		{"too late", context.DeadlineExceeded, karbor.Internal, false, false},
	}
	for _, test := range tests {
		err := Classified(test.err)
		if karbor.KindOf(err) != test.kind || repeatable(err) != test.again || IsDuplicate(err) != test.duplicate || !errors.Is(err, test.err) {
			t.Errorf("%s: kind %d, again %t, duplicate %t: %v", test.name, karbor.KindOf(err), repeatable(err), IsDuplicate(err), err)
		}
	}
}
