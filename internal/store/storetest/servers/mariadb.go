package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// MariaDB starts a MariaDB server.
func MariaDB(ctx context.Context) (*Server, error) {
	install, err1 := program("mariadb-install-db", "mariadb-server")
	mariadbd, err2 := program("mariadbd", "mariadb-server", "/usr/sbin/mariadbd")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	s := &Server{Scheme: "mysql", dir: dir}
	if err := s.startMariaDB(ctx, install, mariadbd); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) startMariaDB(ctx context.Context, install, mariadbd string) (err error) {
	if s.Port, err = freePort(ctx); err != nil {
		return err
	}
	data, socket := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "socket")
	out, err := command(ctx, s.dir, []string{install, "--no-defaults", "--datadir=" + data,
		"--auth-root-authentication-method=normal", "--skip-test-db"}).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	s.argv = []string{mariadbd, "--no-defaults", "--datadir=" + data, "--socket=" + socket,
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--port=" + strconv.Itoa(s.Port), "--bind-address=127.0.0.1",
		"--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--innodb-file-per-table=0", "--innodb-buffer-pool-size=64M", "--max-connections=200",
		"--skip-name-resolve"}
	s.admin = func(name string) (*sql.DB, error) {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.DBName, c.Logger = "unix", socket, "root", name, &mysql.NopLogger{}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	db, err := s.admin("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	literal := strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(Password.Reveal())
	_, err = db.ExecContext(ctx, "CREATE USER 'karbor'@'127.0.0.1' IDENTIFIED BY '"+literal+"'")
	return err
}
