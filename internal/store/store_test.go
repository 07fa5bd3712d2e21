package store_test

import (
	"database/sql"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files")

func open(t *testing.T) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	return openFile(t, path)
}

func openFile(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
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

// raw opens the file without the store.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.Run(t, open)
}

func TestSchemaIsTheGoldenOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	openFile(t, path)
	rows, err := raw(t, path).Query(`SELECT sql FROM sqlite_master
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'goose_%' ORDER BY tbl_name, type DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got strings.Builder
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		got.WriteString(text + ";\n\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "schema.sql")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the schema changed; run with -update if it should (-want +got):\n%s", diff)
	}
}

func TestFileCopiedFromARunningProcessOpens(t *testing.T) {
	from := filepath.Join(t.TempDir(), "karbor.db")
	s := openFile(t, from)
	var want []string
	for range 50 {
		p := storetest.NewPlan("project")
		if err := s.CreatePlan(t.Context(), p, -1); err != nil {
			t.Fatal(err)
		}
		want = append(want, p.ID)
	}
	// What lies on the disk now is what a killed process leaves.
	to := filepath.Join(t.TempDir(), "karbor.db")
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, from+suffix, to+suffix)
	}
	after := openFile(t, to)
	list, err := after.Plans(t.Context(), store.PlanFilter{}, store.Page{Sort: []store.Sort{{Key: "created_at"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, p.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plans after the crash (-want +got):\n%s", diff)
	}
	if err := after.CreatePlan(t.Context(), storetest.NewPlan("project"), -1); err != nil {
		t.Errorf("the database can't be written: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskIsUnavailableAndLosesNothing(t *testing.T) {
	s := open(t)
	kept := storetest.NewPlan("project")
	if err := s.CreatePlan(t.Context(), kept, -1); err != nil {
		t.Fatal(err)
	}
	if err := s.LimitPages(t.Context(), 1); err != nil { // never less than there are
		t.Fatal(err)
	}
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		p := storetest.NewPlan("project")
		p.Description = strings.Repeat("x", 4000)
		full = s.CreatePlan(t.Context(), p, -1)
	}
	if karbor.KindOf(full) != karbor.Unavailable || !karbor.IsTransient(full) || karbor.Sentence(full) != "the database's disk is full" {
		t.Fatalf("got %v", full)
	}
	if _, err := s.Plan(t.Context(), "project", kept.ID); err != nil {
		t.Errorf("reading from a full disk: %v", err)
	}
	if err := s.LimitPages(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := s.CreatePlan(t.Context(), storetest.NewPlan("project"), -1); err != nil {
		t.Errorf("after the disk has room again: %v", err)
	}
}

func TestOpenRefusesWhatItCanNotRead(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "karbor.db")
	if err := openFile(t, newer).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := raw(t, newer).Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(foreign, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, says string }{
		{"a newer schema", newer, "newer than this program"},
		{"another file", foreign, "not a database"},
		{"no folder", filepath.Join(t.TempDir(), "none", "karbor.db"), "no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), test.path, store.Options{Now: time.Now})
			if err == nil {
				t.Fatal(s.Close(), "it was opened")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
	if _, err := store.Open(t.Context(), newer, store.Options{}); err == nil {
		t.Error("a store was opened without a clock")
	}
}

func TestFileIsForItsOwnerOnlyAndMayHaveAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% ?#& karbor.db")
	openFile(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the file has the mode %o", mode)
	}
}

func TestCallsAfterCloseFail(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.CreatePlan(t.Context(), storetest.NewPlan("project"), -1); err == nil {
		t.Error("a closed store was written")
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
}
