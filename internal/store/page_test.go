package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/store"
)

// filled is the number of rows in each table of filledTables, pageLimit how many of
// them a page has.
const (
	filled    = 6000
	pageLimit = 20
)

// fillTables puts rows into all tables that are read in pages: a quarter of them of
// one project, most keys with long runs of equal values. bind turns ? into what the
// driver wants.
func fillTables(t testing.TB, db *sql.DB, bind func(string) string) {
	t.Helper()
	for _, table := range store.ListedTables() {
		fillTable(t, db, bind, table, filled)
	}
}

// fillTable puts n rows into a table.
func fillTable(t testing.TB, db *sql.DB, bind func(string) string, table string, n int) {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table + " WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	var names []string
	var values []func(n int) any
	for _, c := range types {
		if name := c.Name(); name != "ended_order" { // which the database computes
			names = append(names, name)
			values = append(values, column(name, strings.Contains(c.DatabaseTypeName(), "INT")))
		}
	}
	const batch = 50
	row := "(" + strings.Repeat(", ?", len(names))[2:] + ")"
	query := bind("INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES " + strings.Repeat(", "+row, batch)[2:])
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < n; first += batch {
		var args []any
		for i := range batch {
			for _, f := range values {
				args = append(args, f(first+i))
			}
		}
		if _, err := tx.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// column gives the values of a column.
func column(name string, integer bool) func(n int) any {
	switch {
	case name == "id":
		return func(n int) any { return fmt.Sprintf("%08x", uint32(n)*2654435761) }
	case name == "project_id":
		return func(n int) any { return fmt.Sprintf("project%d", uint32(n)*2246822519>>16%4) }
	case name == "provider_id":
		return func(int) any { return "provider" }
	case name == "deleted":
		return func(n int) any { return max(n%10-8, 0) }
	case name == "enabled":
		return func(n int) any { return min(n%4, 1) }
	case strings.HasSuffix(name, "_at"):
		return func(n int) any { return n }
	case integer:
		return func(int) any { return 0 }
	}
	switch name {
	case "resources", "parameters", "plan", "graph", "extra_info", "reasons", "figures", "resources_status", "resources_reason", "checkpoints",
		"probes", "mapping":
		return func(int) any { return "null" }
	}
	return func(n int) any { return fmt.Sprintf("%s%d", name, n/2%10) }
}

// indexed lists the keys that the lists of a project have an index for: what people sort
// by. The others may be sorted by too, but are not worth their price with every row.
// Lists of all projects have one for created_at, id and, where it is a key, project_id.
var indexed = map[string][]string{
	"plans":                {"created_at", "id", "name", "project_id", "status", "updated_at"},
	"checkpoints":          {"created_at", "id", "project_id", "provider_id", "status", "updated_at"},
	"restores":             {"created_at", "id", "project_id", "status", "updated_at"},
	"operation_logs":       {"created_at", "ended_at", "id", "started_at", "status"},
	"triggers":             {"created_at", "id", "name", "project_id", "updated_at"},
	"scheduled_operations": {"created_at", "id", "name", "project_id", "updated_at"},
	"verifications":        {"created_at", "id", "project_id", "status", "updated_at"},
	"drills":               {"created_at", "id", "project_id", "status", "updated_at"},
	"copies":               {"created_at", "id", "project_id", "provider_id", "status", "updated_at"},
}

func TestKeysThatPeopleSortByHaveIndexes(t *testing.T) {
	s := openFile(t, filepath.Join(t.TempDir(), "karbor.db"))
	got := map[string]map[bool][]string{}
	for _, q := range s.PageQueries(pageLimit) {
		if got[q.Table] == nil {
			got[q.Table] = map[bool][]string{}
		}
		if keys := got[q.Table][q.Project]; q.Index != "" && !slices.Contains(keys, q.Key) {
			got[q.Table][q.Project] = append(keys, q.Key)
		}
	}
	for table, of := range got {
		all := []string{"created_at", "id"}
		for _, key := range []string{"project_id", "provider_id"} {
			// Lists of one provider, sorted by it, are in the order of the ids.
			if slices.Contains(indexed[table], key) {
				all = append(all, key)
			}
		}
		slices.Sort(of[true])
		slices.Sort(of[false])
		if diff := cmp.Diff(indexed[table], of[true]); diff != "" {
			t.Errorf("%s of a project (-want +got):\n%s", table, diff)
		}
		if diff := cmp.Diff(all, of[false]); diff != "" {
			t.Errorf("%s of all (-want +got):\n%s", table, diff)
		}
	}
}

func TestPagesAreReadFromIndexesOnSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	s := openFile(t, path)
	db := raw(t, path)
	// Without rows SQLite has no figures to be led astray by, as a new
	// installation has none; with rows and figures it must choose the same.
	for _, step := range []string{"empty", "filled"} {
		if step == "filled" {
			fillTables(t, db, func(s string) string { return s })
			if _, err := db.Exec("ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range s.PageQueries(pageLimit) {
			plan := lines(t, db, "EXPLAIN QUERY PLAN "+q.Query, q.Args, 3)
			switch {
			case q.Index == "" && q.Project && !strings.Contains(plan, "project_id=?"):
				// Only the project's rows are sorted.
				t.Errorf("%s, %s: %s\n%s", step, q.Name, plan, q.Query)
			case q.Index != "" && (!strings.Contains(plan, "USING INDEX "+q.Index+" (") || strings.Contains(plan, "TEMP B-TREE")):
				t.Errorf("%s, %s: %s\n%s", step, q.Name, plan, q.Query)
			}
		}
		for _, f := range s.FilterQueries() {
			plan := lines(t, db, "EXPLAIN QUERY PLAN "+f.Query, f.Args, 3)
			if !strings.Contains(plan, "USING INDEX "+f.Index+" (") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s, %s: %s\n%s", step, f.Name, plan, f.Query)
			}
		}
	}
}

// lines gives a column of the rows of a query.
func lines(t testing.TB, db interface {
	Query(query string, args ...any) (*sql.Rows, error)
}, query string, args []any, column int) string {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		if column >= 0 {
			fmt.Fprintln(&b, values[column].String)
			continue
		}
		for _, v := range values {
			fmt.Fprint(&b, v.String, " | ")
		}
		fmt.Fprintln(&b)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
