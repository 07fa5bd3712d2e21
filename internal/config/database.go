package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/karbor/karbor"
)

// Database says where the state is kept.
type Database struct {
	// URL is sqlite:///path, postgresql://user@host:port/name or
	// mysql://user@host:port/name. "" is the file karbor.db in the state folder.
	URL string `yaml:"url"`
	// PasswordFile holds the password of the URL's user.
	PasswordFile string `yaml:"password_file"`
	// TLS is verify, unverified or off. "" is off for a server on this machine,
	// and verify for any other.
	TLS string `yaml:"tls"`
	// CAFile holds the certificates to trust instead of the system's, as PEM.
	CAFile string `yaml:"ca_file"`
	// MaxConnections bounds this process's connections to a server.
	MaxConnections int `yaml:"max_connections"`
	// AutoUpgrade lets a start bring the schema of a server up to date, as it
	// always does with a file.
	AutoUpgrade bool `yaml:"auto_upgrade"`
}

func defaultDatabase() Database { return Database{MaxConnections: 20} }

// check gives what is wrong with the values to fault. It never shows the URL,
// which may hold a password where it must not.
func (d Database) check(fault func(key, format string, args ...any)) {
	if err := d.checkURL(); err != nil {
		fault("database.url", "%w", err)
	}
	switch d.TLS {
	case "", "verify", "unverified", "off":
	default:
		fault("database.tls", "%q is none of verify, unverified and off", d.TLS)
	}
	if d.MaxConnections < 2 || d.MaxConnections > 1000 {
		fault("database.max_connections", "%d is not from 2 to 1000", d.MaxConnections)
	}
}

// checkURL looks at what a start would stumble over.
func (d Database) checkURL() error {
	if d.URL == "" {
		return nil
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		return errors.New("it is not a URL")
	}
	if _, has := u.User.Password(); has {
		return errors.New("it holds a password: put that into the file of database.password_file")
	}
	switch u.Scheme {
	case "sqlite":
		if u.Host != "" || len(u.Path) < 2 {
			return errors.New("an SQLite URL is sqlite:///absolute/path")
		}
	case "postgresql", "mysql", "mariadb":
		if u.User.Username() == "" || strings.Trim(u.Path, "/") == "" {
			return errors.New("it must name a user and a database: " + u.Scheme + "://user@host/database")
		}
	default:
		return fmt.Errorf("the scheme %q is none of sqlite, postgresql, mysql and mariadb", u.Scheme)
	}
	return nil
}

// DatabaseLocation is where the database is: its URL, or the path of its file.
func (c Config) DatabaseLocation() string {
	if c.Database.URL == "" {
		return filepath.Join(c.State, "karbor.db")
	}
	return c.Database.URL
}

// Password reads the password of the database's user; "" if there is no file.
func (d Database) Password() (karbor.Secret, error) {
	if d.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(d.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("reading database.password_file: %w", err)
	}
	return karbor.Secret(bytes.TrimRight(text, "\r\n")), nil
}

// CA reads the certificates to trust; nil for the system's.
func (d Database) CA() ([]byte, error) {
	if d.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading database.ca_file: %w", err)
	}
	return pem, nil
}

var credentials = regexp.MustCompile(`(://[^/\s:@]*):[^/\s]*@`)

// withoutPasswords takes the passwords out of the URLs in a text.
func withoutPasswords(text string) string { return credentials.ReplaceAllString(text, "$1:***@") }
