package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/store"
)

// versions holds a small database of each version of the schema that was ever used.
// `go test ./internal/store -run Versions -update` adds that of the newest.
const versions = "testdata/versions"

func TestDatabasesOfAllVersionsAreUpgradedWithTheirRows(t *testing.T) {
	if *update {
		writeVersion(t)
	}
	files, err := filepath.Glob(filepath.Join(versions, "*.sqlite"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no databases of earlier versions: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "karbor.db")
			copyFile(t, file, path)
			have, err := store.SchemaOf(t.Context(), path, store.Server{})
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%05d.sqlite", have.Version); filepath.Base(file) != want {
				t.Errorf("the database has version %d", have.Version)
			}
			before := contents(t, path)
			s := openFile(t, path)
			if after, err := store.SchemaOf(t.Context(), path, store.Server{}); err != nil || len(after.Pending) > 0 {
				t.Errorf("after the upgrade: %+v, %v", after, err)
			}
			// Whatever a migration adds, what was there must be there.
			for table, rows := range contents(t, path) {
				for key, row := range before[table] {
					if got := kept(rows[key], row); cmp.Diff(row, got) != "" {
						t.Errorf("%s %s (-before +after):\n%s", table, key, cmp.Diff(row, got))
					}
				}
			}
			readAll(t, s)
		})
	}
	newest, err := store.SchemaOf(t.Context(), files[len(files)-1], store.Server{})
	if err != nil || newest.Version != newest.Wanted {
		t.Errorf("the newest version has no database here, make it with -run Versions -update: %+v, %v", newest, err)
	}
}

// kept leaves of a row what an earlier one had.
func kept(row, earlier map[string]string) map[string]string {
	left := map[string]string{}
	for name, value := range row {
		if _, ok := earlier[name]; ok {
			left[name] = value
		}
	}
	return left
}

// contents gives the rows of all tables of a database, by their first columns.
func contents(t *testing.T, path string) map[string]map[string]map[string]string {
	t.Helper()
	db := raw(t, path)
	tables := lines(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'", nil, 0)
	found := map[string]map[string]map[string]string{}
	for table := range strings.FieldsSeq(tables) {
		found[table] = rowsOf(t, db, table)
	}
	return found
}

// rowsOf gives the rows of a table.
func rowsOf(t *testing.T, db *sql.DB, table string) map[string]map[string]string {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]string{}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = fmt.Sprint(values[i])
		}
		found[fmt.Sprint(values[0], "/", values[1])] = row
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// readAll reads what every version's database holds.
func readAll(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := context.Background()
	plans, err := s.Plans(ctx, store.PlanFilter{ProjectID: "project"}, store.Page{})
	if err != nil || len(plans) != 1 || plans[0].Name != "shop" || len(plans[0].Resources) != 2 {
		t.Errorf("plans: %+v, %v", plans, err)
	}
	checkpoints, err := s.Checkpoints(ctx, store.CheckpointFilter{ProjectID: "project", ProviderID: "provider"}, store.Page{})
	if err != nil || len(checkpoints) != 2 {
		t.Errorf("checkpoints: %+v, %v", checkpoints, err)
	}
	for _, c := range checkpoints {
		if len(c.Graph.Nodes()) != 3 || c.Plan.Name != "shop" {
			t.Errorf("the checkpoint %+v has lost its graph or plan", c)
		}
	}
	restores, err := s.Restores(ctx, store.RestoreFilter{ProjectID: "project"}, store.Page{})
	if err != nil || len(restores) != 1 {
		t.Errorf("restores: %+v, %v", restores, err)
	}
	logs, err := s.OperationLogs(ctx, store.OperationLogFilter{ProjectID: "project"}, store.Page{})
	if err != nil || len(logs) != 2 {
		t.Errorf("operation logs: %+v, %v", logs, err)
	}
	running, err := s.RunningOperations(ctx)
	if err != nil || len(running) != 1 {
		t.Fatalf("running operations: %v, %v", running, err)
	}
	if op, err := s.Operation(ctx, running[0]); err != nil || op.Graph == nil || !slices.Equal(op.Delegation, []byte{0, 1, 0xff}) {
		t.Errorf("the operation %+v, %v", op, err)
	}
	if _, err := s.Resources(ctx, running[0]); err != nil {
		t.Errorf("the operation's resources: %v", err)
	}
	token, _, err := s.Journal().Acquire(ctx, "next", time.Minute)
	if err != nil || token < 2 {
		t.Errorf("the journal's lease: %d, %v", token, err)
	}
}

// writeVersion makes the database of the newest version.
func writeVersion(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbor.db")
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	fillVersion(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	saveVersion(t, path)
}

// saveVersion puts a database beside the others, whole in one file.
func saveVersion(t *testing.T, path string) {
	t.Helper()
	have, err := store.SchemaOf(t.Context(), path, store.Server{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(versions, fmt.Sprintf("%05d.sqlite", have.Version))
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	db := raw(t, path)
	if _, err := db.Exec("PRAGMA page_size = 1024"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("VACUUM INTO '" + to + "'"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o644); err != nil {
		t.Fatal(err)
	}
}
