//go:build databases

package local_test

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest/servers"
)

func TestLocalKeepsTheContractOnServers(t *testing.T) {
	for name, start := range map[string]func(context.Context) (*servers.Server, error){
		"PostgreSQL": servers.PostgreSQL, "MariaDB": servers.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			server, err := start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(); err != nil {
					t.Error(err)
				}
			})
			contract(t, 0, func(t *testing.T) opener { return openServer(t, server) })
		})
	}
}

// openServer makes a database on a server. Each process has a store with its own clock.
func openServer(t *testing.T, server *servers.Server) opener {
	t.Helper()
	database, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(now func() time.Time) *store.Store {
		s, err := store.Open(t.Context(), server.URL(database), store.Options{
			Now: now, Upgrade: true, Server: store.Server{Password: servers.Password},
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
}
