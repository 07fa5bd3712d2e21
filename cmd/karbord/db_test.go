package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// settings writes a configuration with a state folder of its own, and gives its path
// and that of the folder.
func settings(t *testing.T, more string) (path, state string) {
	t.Helper()
	state = t.TempDir()
	path = filepath.Join(t.TempDir(), "karbord.yaml")
	text := "keystone: {auth_url: 'http://keystone/v3', password_file: /nowhere}\nstate: " + state + "\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, state
}

func TestDBUpgradeMakesWhatStatusAsksFor(t *testing.T) {
	path, state := settings(t, "")
	if out, err := run(t, "db", "status", "--config", path); err == nil || !strings.Contains(err.Error(), "there is no database") {
		t.Errorf("without a database: %q, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(state, "karbor.db")); err == nil {
		t.Error("looking at the database made it")
	}
	if out, err := run(t, "db", "upgrade", "--config", path); err != nil || !strings.HasPrefix(out, "the schema has version ") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, "db", "status", "--config", path); err != nil || strings.Contains(out, "pending") {
		t.Errorf("%q, %v", out, err)
	}
	lock, err := daemon.Lock(state)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := run(t, "db", "upgrade", "--config", path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("beside a service that runs: %v", err)
	}
}

func TestDBStatusTellsAnOlderSchema(t *testing.T) {
	path, state := settings(t, "")
	old, err := os.ReadFile(filepath.Join("..", "..", "internal", "store", "testdata", "versions", "00001.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "karbor.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "db", "status", "--config", path)
	if err == nil || !strings.Contains(err.Error(), "karbord db upgrade") || !strings.Contains(out, "pending  00002_") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(t, "db", "purge", "--config", path); err == nil || !strings.Contains(err.Error(), "karbord db upgrade") {
		t.Errorf("purge: %v", err)
	}
}

func TestDBPurgeRemovesOnlyWhatIsOldEnough(t *testing.T) {
	path, state := settings(t, "")
	long := time.Now().Add(-100 * 24 * time.Hour)
	for _, now := range []time.Time{long, time.Now()} {
		s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		p := storetest.NewPlan("project")
		if err := s.CreatePlan(t.Context(), p, -1); err != nil {
			t.Fatal(err)
		}
		if err := s.DeletePlan(t.Context(), "project", p.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--dry-run"}, "resources              2\nplans                  1\n3 rows to be removed\n"},
		{[]string{"--older-than", "101d"}, "0 rows removed\n"},
		{nil, "resources              2\nplans                  1\n3 rows removed\n"},
		{nil, "0 rows removed\n"},
		{[]string{"--older-than", "0h"}, "resources              2\nplans                  1\n3 rows removed\n"},
	}
	for _, test := range tests {
		out, err := run(t, append([]string{"db", "purge", "--config", path}, test.args...)...)
		if err != nil || out != test.want {
			t.Errorf("%v: %q, %v, want %q", test.args, out, err, test.want)
		}
	}
}
