//go:build temporal

package scaleout

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/karbor/karbor/internal/store/storetest/servers"
)

// What the service may keep its state in. The engine's cluster is on PostgreSQL in any case.
const (
	onPostgreSQL = "PostgreSQL"
	onMariaDB    = "MariaDB"
)

// mariadb is the MariaDB server that all tests share, started by the first that wants it.
var mariadb struct {
	mu     sync.Mutex
	server *servers.Server
}

// databaseServer gives a database server.
func databaseServer(t *testing.T, name string) *servers.Server {
	t.Helper()
	if name == onPostgreSQL {
		return cluster.PostgreSQL
	}
	mariadb.mu.Lock()
	defer mariadb.mu.Unlock()
	if mariadb.server == nil {
		var err error
		if mariadb.server, err = servers.MariaDB(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	return mariadb.server
}

// onEachDatabase runs a test on a site of each sort.
func onEachDatabase(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	for _, name := range []string{onPostgreSQL, onMariaDB} {
		t.Run(name, func(t *testing.T) { test(t, newSiteOn(t, databaseServer(t, name))) })
	}
}

// stopServers ends what the tests share.
func stopServers() error {
	mariadb.mu.Lock()
	defer mariadb.mu.Unlock()
	err := cluster.Stop()
	if mariadb.server != nil {
		err = errors.Join(err, mariadb.server.Stop())
	}
	return err
}
