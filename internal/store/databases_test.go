//go:build databases

package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/database"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/store/storetest/servers"
)

// started are the servers of this run, by the names of their databases.
var started = map[string]*servers.Server{}

func TestMain(m *testing.M) {
	code, err := withServers(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withServers(m *testing.M) (int, error) {
	for name, start := range map[string]func(context.Context) (*servers.Server, error){
		"PostgreSQL": servers.PostgreSQL, "MariaDB": servers.MariaDB,
	} {
		s, err := start(context.Background())
		if err != nil {
			return 1, fmt.Errorf("%s: %w", name, err)
		}
		defer func() { _ = s.Stop() }()
		started[name] = s
	}
	code := m.Run()
	if code == 0 {
		for _, s := range started {
			if err := s.Stop(); err != nil {
				return 1, err
			}
		}
		if err := goleak.Find(); err != nil {
			return 1, err
		}
	}
	return code, nil
}

// onEach runs a test for each server.
func onEach(t *testing.T, run func(t *testing.T, s *servers.Server)) {
	for _, name := range []string{"PostgreSQL", "MariaDB"} {
		t.Run(name, func(t *testing.T) { run(t, started[name]) })
	}
}

// empty makes an empty database, and gives its URL.
func empty(t testing.TB, s *servers.Server) string {
	t.Helper()
	name, err := s.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

func openServer(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, store.Options{
		Now: time.Now, Upgrade: true, Server: database.Server{Password: servers.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServersKeepTheContract(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		storetest.Run(t, func(t *testing.T) *store.Store { return openServer(t, empty(t, server)) })
	})
}

func TestPagesAreReadFromIndexesOnServers(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		name, err := server.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := openServer(t, server.URL(name))
		db, err := server.Admin(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		fillTables(t, db, func(text string) string { return bound(server, text) })
		for _, table := range store.ListedTables() {
			analyze := map[string]string{"postgresql": "VACUUM ANALYZE ", "mysql": "ANALYZE TABLE "}[server.Scheme] + table
			if _, err := db.Exec(analyze); err != nil {
				t.Fatal(err)
			}
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for _, q := range s.PageQueries(pageLimit) {
			if q.Index == "" {
				continue
			}
			if why := scanned(t, server, conn, q); why != "" {
				t.Errorf("%s: %s\n%s", q.Name, why, q.Query)
			}
		}
	})
}

// bound writes $n for ? where the server wants it.
func bound(server *servers.Server, text string) string {
	if server.Scheme != "postgresql" {
		return text
	}
	parts := strings.Split(text, "?")
	for i := range parts[1:] {
		parts[i] += fmt.Sprint("$", i+1)
	}
	return strings.Join(parts, "")
}

type session struct{ *sql.Conn }

func (s session) Query(query string, args ...any) (*sql.Rows, error) {
	return s.QueryContext(context.Background(), query, args...)
}

// removed is what PostgreSQL says of rows that it read in vain.
var removed = regexp.MustCompile(`Rows Removed by Filter: (\d+)`)

// scanned says how a page costs more than its rows, or "".
func scanned(t *testing.T, server *servers.Server, conn *sql.Conn, q store.PageQuery) string {
	db := session{conn}
	if server.Scheme == "postgresql" {
		plan := lines(t, db, "EXPLAIN (ANALYZE) "+q.Query, q.Args, 0)
		vain := 0
		for _, m := range removed.FindAllStringSubmatch(plan, -1) {
			n, _ := strconv.Atoi(m[1])
			vain += n
		}
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") || vain > 5*pageLimit {
			// With a quarter of all rows in the project, its index and that of all
			// projects cost about the same.
			return plan
		}
		return ""
	}
	// What it did says more than what it meant to do.
	if _, err := conn.ExecContext(t.Context(), "FLUSH STATUS"); err != nil {
		t.Fatal(err)
	}
	lines(t, db, q.Query, q.Args, 0)
	status := lines(t, db, "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%' OR Variable_name LIKE 'Sort_%'", nil, -1)
	reads := 0
	for line := range strings.Lines(status) {
		fields := strings.Split(line, " | ")
		n, _ := strconv.Atoi(strings.TrimSpace(fields[1]))
		reads += n
	}
	if reads > 3*pageLimit {
		return status + lines(t, db, "EXPLAIN "+q.Query, q.Args, -1)
	}
	return ""
}
