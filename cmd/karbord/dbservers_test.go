//go:build databases

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/store/storetest/servers"
)

func TestDBCommandsReachServers(t *testing.T) {
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
			database, err := server.NewDatabase(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			password := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(password, []byte(servers.Password.Reveal()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			path, _ := settings(t, "database: {url: '"+server.URL(database)+"', password_file: "+password+"}\n")
			older := []string{"status", "purge"}
			for _, command := range older {
				if _, err := run(t, "db", command, "--config", path); err == nil || !strings.Contains(err.Error(), "karbord db upgrade") {
					t.Errorf("%s before the upgrade: %v", command, err)
				}
			}
			if out, err := run(t, "db", "upgrade", "--config", path); err != nil || !strings.HasPrefix(out, "the schema has version ") {
				t.Fatalf("%q, %v", out, err)
			}
			if out, err := run(t, "db", "status", "--config", path); err != nil || strings.Contains(out, "pending") {
				t.Errorf("%q, %v", out, err)
			}
			if out, err := run(t, "db", "purge", "--config", path); err != nil || out != "0 rows removed\n" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}
