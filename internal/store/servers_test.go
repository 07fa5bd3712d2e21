//go:build databases

package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/database"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/store/storetest/servers"
)

// admin opens a database as the administrator.
func admin(t *testing.T, server *servers.Server, name string) *sql.DB {
	t.Helper()
	db, err := server.Admin(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestTransactionsOnServers(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		for _, test := range transactionTests {
			t.Run(test.name, func(t *testing.T) { test.run(t, openServer(t, empty(t, server))) })
		}
	})
}

func TestTransactionsThatBlockEachOtherAreBothKept(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		s := openServer(t, empty(t, server))
		newRow(t, s, "a")
		newRow(t, s, "b")
		var met, both sync.WaitGroup
		met.Add(2)
		runs := make([]int, 2)
		for i, order := range [][]string{{"a", "b"}, {"b", "a"}} {
			both.Go(func() {
				err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
					if err := tx.Exec(t.Context(), addToRow, order[0]); err != nil {
						return err
					}
					if runs[i]++; runs[i] == 1 {
						met.Done()
						met.Wait()
					}
					return tx.Exec(t.Context(), addToRow, order[1])
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for _, user := range []string{"a", "b"} {
			if n := number(t, s, readRow, user); n != 2 {
				t.Errorf("%d of 2 were kept of %s", n, user)
			}
		}
		if runs[0]+runs[1] < 3 {
			t.Errorf("nobody was in the other's way: %v", runs)
		}
	})
}

func TestTransactionsGoOnAfterALostConnection(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		name, err := server.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, killer := openServer(t, server.URL(name)), admin(t, server, name)
		newRow(t, s, "u")
		me, kill := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
		if server.Scheme == "mysql" {
			me, kill = "SELECT CONNECTION_ID()", "KILL %d"
		}
		runs := 0
		err = s.InTransaction(t.Context(), func(tx store.TestTx) error {
			if err := tx.Exec(t.Context(), addToRow, "u"); err != nil {
				return err
			}
			if runs++; runs == 1 {
				id, err := tx.Int(t.Context(), me)
				if err != nil {
					return err
				}
				if _, err := killer.Exec(fmt.Sprintf(kill, id)); err != nil {
					t.Error(err)
				}
			}
			return tx.Exec(t.Context(), addToRow, "u")
		})
		if err != nil || runs != 2 {
			t.Errorf("it ran %d times: %v", runs, err)
		}
		if n := number(t, s, readRow, "u"); n != 2 {
			t.Errorf("%d of 2 were kept", n)
		}
	})
}

func TestConnectionLostAtCommitIsNoSecondTry(t *testing.T) {
	server := started["PostgreSQL"]
	name, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := openServer(t, server.URL(name))
	newRow(t, s, "u")
	// The trigger ends its own connection while COMMIT runs.
	for _, text := range []string{
		"CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
		"CREATE CONSTRAINT TRIGGER leave AFTER UPDATE ON application_credentials DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION leave()",
	} {
		if _, err := admin(t, server, name).Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	runs := 0
	err = s.InTransaction(t.Context(), func(tx store.TestTx) error {
		runs++
		return tx.Exec(t.Context(), addToRow, "u")
	})
	if runs != 1 || karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(karbor.Sentence(err), "not known") {
		t.Errorf("it ran %d times: %v", runs, err)
	}
}

func TestStoreOutlivesACrashOfItsServer(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		s := openServer(t, empty(t, server))
		var kept []string
		for range 5 {
			p := storetest.NewPlan("project")
			if err := s.CreatePlan(t.Context(), p, -1); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, p.ID)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range kept {
			if _, err := s.Plan(t.Context(), "project", id); err != nil {
				t.Error(err)
			}
		}
		if err := s.CreatePlan(t.Context(), storetest.NewPlan("project"), -1); err != nil {
			t.Error(err)
		}
	})
}

func TestServersAreNotUpgradedUnasked(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		name, err := server.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		options := store.Options{Now: time.Now, Server: store.Server{Password: servers.Password}}
		if _, err := store.Open(t.Context(), server.URL(name), options); !errors.Is(err, store.ErrOlder) ||
			!strings.Contains(err.Error(), "karbord db upgrade") {
			t.Errorf("an empty database: %v", err)
		}
		// Two upgrade at a time: one does, the other one waits.
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { openServer(t, server.URL(name)) })
		}
		wg.Wait()
		s, err := store.Open(t.Context(), server.URL(name), options)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		newer := "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)"
		if _, err := admin(t, server, name).Exec(newer); err != nil {
			t.Fatal(err)
		}
		options.Upgrade = true
		if _, err := store.Open(t.Context(), server.URL(name), options); !errors.Is(err, database.ErrNewer) {
			t.Errorf("a newer schema: %v", err)
		}
	})
}

func TestFailedConnectionsDoNotShowThePassword(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		const wrong = karbor.Secret("hunter2")
		for name, url := range map[string]string{
			"a wrong password": empty(t, server),
			"nobody there":     server.Scheme + "://karbor@127.0.0.1:1/karbor",
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s, err := store.Open(ctx, url, store.Options{Now: time.Now, Server: store.Server{Password: wrong}})
			if err == nil {
				t.Fatal(name, s.Close())
			}
			if strings.Contains(err.Error(), wrong.Reveal()) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestPurgeOnServers(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		s := openServer(t, empty(t, server))
		testPurge(t, s)
		testPurgeOperations(t, s)
	})
}
