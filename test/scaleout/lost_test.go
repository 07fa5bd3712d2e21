//go:build temporal

package scaleout

import (
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
)

func localEngine(c *config.Config) { c.Engine.Type = config.LocalEngine }

func TestOperationsOfALostEngineBeginAgain(t *testing.T) {
	w := newWorks(newSite(t))
	w.start("api", roleAPI, limited)
	one := w.start("one", roleProtection, limited)
	w.begin()
	// The engine that follows counts from the first attempt, which is behind this one's.
	w.start("two", roleProtection, limited)
	held := w.held()
	one.end(syscall.SIGKILL)
	w.heldSince(held)
	if err := cluster.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.release()
	w.judge()
}

func TestOperationsMoveFromTheLocalEngineToTheCluster(t *testing.T) {
	w := newWorks(newSite(t))
	w.start("api", roleAPI, localEngine, limited)
	one := w.start("one", roleProtection, localEngine, limited)
	w.begin()
	o := daemon.Options{Config: w.config, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if moved, err := daemon.Migrate(t.Context(), o); err == nil || !strings.Contains(err.Error(), "a process with the role protection runs") {
		t.Errorf("beside a process that runs, %d moved: %v", moved, err)
	}
	one.end(syscall.SIGTERM)
	// Those that wait for their turn are in the database alone, and need not be moved.
	if moved, err := daemon.Migrate(t.Context(), o); err != nil || moved != atWork+1 {
		t.Fatalf("%d moved: %v", moved, err)
	}
	if moved, err := daemon.Migrate(t.Context(), o); err != nil || moved != 0 {
		t.Errorf("once more, %d moved: %v", moved, err)
	}
	w.release()
	w.start("two", roleProtection, limited)
	w.judge()
}

// TestRebuiltOperationsOfTheLocalEngineComeToTheirEnd damages what the engine has of operations that are in
// their middle.
func TestRebuiltOperationsOfTheLocalEngineComeToTheirEnd(t *testing.T) {
	for name, database := range map[string]func(*config.Config){
		"PostgreSQL": func(*config.Config) {},
		"SQLite":     func(c *config.Config) { c.Database = config.Default().Database },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorks(newSite(t))
			edits := []func(*config.Config){localEngine, limited, database}
			all := w.start("all", daemon.AllRoles(), edits...)
			w.begin()
			all.end(syscall.SIGTERM)
			c := w.config
			c.State = filepath.Join(w.dir, "all")
			for _, edit := range edits {
				edit(&c)
			}
			w.damage(name)
			if n := w.rebuild(c); n != atWork+1 {
				t.Fatalf("%d operations begin anew", n)
			}
			w.release()
			w.start("all", daemon.AllRoles(), edits...)
			w.judge()
		})
	}
}

// damage damages what the local engine has of all operations.
func (w *works) damage(database string) {
	w.t.Helper()
	open := func() (*sql.DB, error) { return w.server.Admin(w.database) }
	if database == "SQLite" {
		open = func() (*sql.DB, error) { return sql.Open("sqlite", "file:"+filepath.Join(w.dir, "all", "karbor.db")) }
	}
	db, err := open()
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(w.t.Context(), "UPDATE journal_pages SET steps = '[{'"); err != nil {
		w.t.Fatal(err)
	}
}

// rebuild has all operations begin anew whose journal is damaged, and gives their number.
func (w *works) rebuild(c config.Config) int {
	w.t.Helper()
	o := daemon.Options{Config: c, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	options, err := daemon.DatabaseOptions(c, o.Now, o.Logger)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := store.Open(w.t.Context(), c.DatabaseLocation(), options)
	if err != nil {
		w.t.Fatal(err)
	}
	rebuilt, err := daemon.Rebuild(w.t.Context(), o, s, false)
	if err = errors.Join(err, s.Close()); err != nil {
		w.t.Fatal(err)
	}
	return len(rebuilt)
}
