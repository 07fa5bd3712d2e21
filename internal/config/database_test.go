package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDatabaseIsTheFileInTheStateFolderUnlessSaid(t *testing.T) {
	c, err := Load(write(t, enough))
	if err != nil || c.DatabaseLocation() != "/var/lib/karbor/karbor.db" {
		t.Errorf("got %q, %v", c.DatabaseLocation(), err)
	}
	c, err = Load(write(t, enough+"database: {url: 'mysql://karbor@db:3306/karbor?socket=', auto_upgrade: true}\n"))
	if err != nil || c.DatabaseLocation() != c.Database.URL || !c.Database.AutoUpgrade || c.Database.MaxConnections != 20 {
		t.Errorf("got %+v, %v", c.Database, err)
	}
}

func TestDatabaseFaultsAreNamedWithoutThePassword(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"a password":         {"database: {url: 'postgresql://karbor:hunter2@db/karbor'}\n", "database.url: it holds a password"},
		"a driver":           {"database: {url: 'mysql+pymysql://karbor:hunter2@db/karbor'}\n", "database.url: "},
		"no URL":             {"database: {url: 'postgresql://karbor:hunter2%zz@db/karbor'}\n", "database.url: it is not a URL"},
		"another scheme":     {"database: {url: 'oracle://karbor@db/karbor'}\n", `the scheme "oracle"`},
		"no user":            {"database: {url: 'mysql://db/karbor'}\n", "must name a user"},
		"a relative file":    {"database: {url: 'sqlite://karbor.db'}\n", "sqlite:///absolute/path"},
		"unknown tls":        {"database: {tls: maybe}\n", "database.tls: "},
		"one connection":     {"database: {max_connections: 1}\n", "database.max_connections: "},
		"another key beside": {"database:\n  url: postgresql://karbor:hunter2@db/karbor\n  pool: 3\n", `unknown field "pool"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Load(write(t, enough+c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestDatabasePasswordIsTheFileWithoutItsLineEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(" s p \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := (Database{PasswordFile: path}).Password(); err != nil || p.Reveal() != " s p " {
		t.Errorf("got %q, %v", p.Reveal(), err)
	}
	if p, err := (Database{}).Password(); err != nil || p != "" {
		t.Errorf("got %q, %v", p.Reveal(), err)
	}
	if _, err := (Database{PasswordFile: path + "x"}).Password(); err == nil {
		t.Error("a missing file was read")
	}
}
