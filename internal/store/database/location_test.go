package database

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocationsAreRead(t *testing.T) {
	tests := map[string]location{
		"/var/lib/karbor/karbor.db":                         {scheme: SQLite, path: "/var/lib/karbor/karbor.db"},
		"sqlite:///var/lib/100%25.db":                       {scheme: SQLite, path: "/var/lib/100%.db"},
		"postgresql://karbor@db.example/state":              {scheme: PostgreSQL, user: "karbor", host: "db.example", name: "state"},
		"postgresql://karbor@[::1]:5433/state":              {scheme: PostgreSQL, user: "karbor", host: "::1", port: 5433, name: "state"},
		"mariadb://k%40b@/state?socket=/run/mysqld/my.sock": {scheme: MySQL, user: "k@b", socket: "/run/mysqld/my.sock", name: "state"},
	}
	for text, want := range tests {
		got, err := locate(text)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(location{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
}

func TestBadLocationsAreRefusedWithoutTheirText(t *testing.T) {
	tests := map[string]string{
		"":                                     "no database was named",
		"postgresql://karbor:hunter2@db/state": "holds a password",
		"postgresql://karbor:hunter2%zz@db/state":      "not a URL",
		"mysql+pymysql://hunter2@db/state":             `"mysql+pymysql"`,
		"sqlite://hunter2/state":                       "sqlite:///absolute/path",
		"mysql://db/state":                             "name a user",
		"mysql://karbor@db/":                           "name one database",
		"mysql://karbor@db/a/b":                        "name one database",
		"mysql://karbor@/state":                        "either a host",
		"mysql://karbor@db/state?socket=/run/s":        "either a host",
		"postgresql://karbor@db/state?sslmode=hunter2": `"sslmode" is unknown`,
		"postgresql://karbor@db:0/state":               "port",
	}
	for text, want := range tests {
		_, err := locate(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("it repeats the text: %v", err)
		}
	}
}

func TestConnectionsToOtherMachinesAreEncryptedUnlessSaid(t *testing.T) {
	tests := []struct {
		host, tls string
		want      string
	}{
		{"localhost", "", "off"}, {"127.0.0.1", "", "off"}, {"::1", "", "off"}, {"", "", "off"},
		{"db.example", "", "verified"}, {"10.0.0.1", "", "verified"}, {"127.0.0.1", "verify", "verified"},
		{"db.example", "off", "off"}, {"db.example", "unverified", "unverified"}, {"db.example", "maybe", "refused"},
	}
	for _, test := range tests {
		l := location{host: test.host}
		if test.host == "" {
			l.socket = "/run/s"
		}
		c, err := Server{TLS: test.tls}.tls(l)
		got := "verified"
		switch {
		case err != nil:
			got = "refused"
		case c == nil:
			got = "off"
		case c.InsecureSkipVerify:
			got = "unverified"
		}
		if got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
	if _, err := (Server{TLS: "verify", CA: []byte("no certificate")}).tls(location{host: "db"}); err == nil {
		t.Error("a file without certificates was taken")
	}
}
