package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// TestDamagedOperationsAreToldAndRebuilt damages the journal of one operation of two in each way.
func TestDamagedOperationsAreToldAndRebuilt(t *testing.T) {
	for name, damage := range map[string]string{
		"a page that can't be read":  "UPDATE journal_pages SET steps = '[{' WHERE operation_id = ?",
		"a page that is missing":     "DELETE FROM journal_pages WHERE operation_id = ? AND page = 0",
		"a state that is not known":  "UPDATE journal_operations SET state = 'lost' WHERE id = ?",
		"a step that is not there":   "INSERT INTO journal_steps SELECT id, 9999, 'running', 1, 0, 0, 0, '', NULL, started_at, 0 FROM journal_operations WHERE id = ?",
		"a state of a step":          "INSERT INTO journal_steps SELECT id, 1, 'x', 1, 0, 0, 0, '', NULL, started_at, 0 FROM journal_operations WHERE id = ?",
		"a step that waits for none": `UPDATE journal_pages SET steps = '[{"id":"s","after":["gone"]}]' WHERE operation_id = ? AND page = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			path, state := settings(t, "")
			file := filepath.Join(state, "karbor.db")
			s, err := store.Open(t.Context(), file, store.Options{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			good, bad := accepted(t, s), accepted(t, s)
			db, err := sql.Open("sqlite", "file:"+file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), damage, bad); err != nil {
				t.Fatal(err)
			}
			out, err := run(t, "operation", "list", "-f", "json", "--config", path)
			if err != nil || strings.Count(out, "karbord engine rebuild: ") != 1 {
				t.Errorf("list: %v\n%s", err, out)
			}
			out, err = run(t, "engine", "rebuild", "--config", path)
			if err != nil || !strings.Contains(out, bad+" begins anew: ") || !strings.Contains(out, "damaged") || !strings.HasSuffix(out, "begin anew: 1\n") {
				t.Errorf("rebuild: %v\n%s", err, out)
			}
			if ids, err := s.Undispatched(t.Context(), 10); err != nil || len(ids) != 1 || ids[0] != bad {
				t.Errorf("in the outbox are %v, %v", ids, err)
			}
			if _, err := s.Journal().Load(t.Context(), bad); karbor.KindOf(err) != karbor.NotFound {
				t.Errorf("the journal has it: %v", err)
			}
			if _, err := s.Journal().Load(t.Context(), good); err != nil {
				t.Error(err)
			}
			if out, err = run(t, "engine", "rebuild", "--config", path); err != nil || out != "operations that begin anew: 0\n" {
				t.Errorf("once more: %q, %v", out, err)
			}
			if out, err = run(t, "engine", "rebuild", "--all", "--config", path); err != nil || !strings.Contains(out, good+" begins anew: as asked") {
				t.Errorf("of all: %q, %v", out, err)
			}
		})
	}
}

// accepted accepts an operation of two pages, and hands it to the local engine.
func accepted(t *testing.T, s *store.Store) string {
	t.Helper()
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	engine, err := local.New(local.Options{Journal: s.Journal(), Owner: "test", Now: time.Now, Options: workflow.Options{
		Actions: map[string]workflow.Action{"hook": func(context.Context, *workflow.Task) error { return nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	steps := make(workflow.Steps, workflow.MaxPage+1)
	for i := range steps {
		steps[i] = workflow.Step{ID: karbor.NewID(), Action: "hook"}
	}
	if err := engine.Start(t.Context(), a.Operation.ID, steps); err != nil {
		t.Fatal(err)
	}
	if err := s.Dispatched(t.Context(), a.Operation.ID); err != nil {
		t.Fatal(err)
	}
	return a.Operation.ID
}

func TestRebuildWaitsForTheEndOfTheProcessThatRuns(t *testing.T) {
	path, state := settings(t, "")
	s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, _, err := s.Journal().Acquire(t.Context(), "running", time.Minute); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "engine", "rebuild", "--config", path); err == nil || !strings.Contains(err.Error(), "a process with the role protection runs") {
		t.Errorf("%q, %v", out, err)
	}
}
