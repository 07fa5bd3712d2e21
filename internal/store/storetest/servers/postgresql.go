package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// PostgreSQL starts a PostgreSQL server.
func PostgreSQL(ctx context.Context) (*Server, error) {
	const where = "/usr/lib/postgresql/*/bin/"
	initdb, err1 := program("initdb", "postgresql", where+"initdb")
	postgres, err2 := program("postgres", "postgresql", where+"postgres")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	s := &Server{Scheme: "postgresql", dir: dir}
	if err := s.startPostgreSQL(ctx, initdb, postgres); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) startPostgreSQL(ctx context.Context, initdb, postgres string) (err error) {
	if s.Port, err = freePort(ctx); err != nil {
		return err
	}
	password, data := filepath.Join(s.dir, "password"), filepath.Join(s.dir, "data")
	if err := os.WriteFile(password, []byte(Password.Reveal()+"\n"), 0o644); err != nil {
		return err
	}
	// A collation of a language: the store must not depend on it.
	out, err := command(ctx, s.dir, []string{initdb, "-D", data, "-U", "admin", "--auth=scram-sha-256",
		"--pwfile=" + password, "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--encoding=UTF8", "--no-sync"}).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.argv = []string{postgres, "-D", data, "-k", s.dir, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"}
	s.admin = func(name string) (*sql.DB, error) {
		if name == "" {
			name = "postgres"
		}
		u := url.URL{Scheme: "postgresql", User: url.UserPassword("admin", Password.Reveal()),
			Host: "127.0.0.1:" + strconv.Itoa(s.Port), Path: "/" + name, RawQuery: "sslmode=disable"}
		return sql.Open("pgx", u.String())
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	db, err := s.admin("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "CREATE ROLE karbor LOGIN PASSWORD '"+strings.ReplaceAll(Password.Reveal(), "'", "''")+"'")
	return err
}

// creating gives the statements that make a database.
func (s *Server) creating(name string) []string {
	if s.Scheme == "postgresql" {
		return []string{"CREATE DATABASE " + name + " OWNER karbor"}
	}
	// Neither the character set nor the collation that the store needs: it must
	// say them itself.
	return []string{
		"CREATE DATABASE " + name + " CHARACTER SET latin1 COLLATE latin1_swedish_ci",
		"GRANT ALL ON " + name + ".* TO 'karbor'@'127.0.0.1'",
	}
}
