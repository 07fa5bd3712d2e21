// Package servers starts private database servers for tests: on loopback, in a
// temporary folder, with the programs of Debian's packages postgresql and
// mariadb-server. It installs nothing, and never touches a server of the system.
package servers

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/karbor/karbor"
)

// Password is that of the user karbor of every server. Its signs are those that a
// URL or a settings file might get wrong.
const Password = karbor.Secret("p@ss/w%rd'\"\\: #?")

// Server is a running server.
type Server struct {
	// Scheme is that of its URLs.
	Scheme string
	// Port is where it listens, on 127.0.0.1.
	Port int

	dir     string
	argv    []string
	process *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
	admin   func(name string) (*sql.DB, error)
	count   atomic.Int64
}

// startTime bounds the start of a server, stopTime its end.
const (
	startTime = time.Minute
	stopTime  = 20 * time.Second
)

// folder makes a folder that the server's user owns.
func folder() (string, error) {
	dir, err := os.MkdirTemp("", "karbor-database-")
	if err != nil {
		return "", err
	}
	if id := unprivileged(); id != nil {
		err = os.Chown(dir, int(id.Uid), int(id.Gid))
	}
	return dir, err
}

// unprivileged gives the user that servers run as: nobody, where the tests are
// root's, as PostgreSQL refuses root; nil for the tests' own.
func unprivileged() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if errors.Join(err1, err2) != nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// program finds one of the programs of a Debian package.
func program(name, pkg string, patterns ...string) (string, error) {
	for _, p := range patterns {
		if found, err := filepath.Glob(p); err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %s is missing: install the Debian package %s", name, pkg)
	}
	return found, nil
}

// command makes a command of the server's user, whose folder it runs in.
func command(ctx context.Context, dir string, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + dir, "TMPDIR=" + dir}
	// A server that outlives a killed test would never be stopped.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(), Pdeathsig: syscall.SIGKILL}
	return cmd
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// start starts the server, and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	s.output.Reset()
	s.process = command(context.WithoutCancel(ctx), s.dir, s.argv)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.argv[0], err)
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.process.Wait() // what it says is in output
		close(s.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	db, err := s.admin("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.ended:
			return fmt.Errorf("%s ended: %s", s.argv[0], s.output.String())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w", s.argv[0], err), s.halt(syscall.SIGKILL))
		}
	}
}

// halt ends the server.
func (s *Server) halt(signal os.Signal) error {
	if err := s.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		_ = s.process.Process.Kill()
		<-s.ended
	}
	return nil
}

// Restart ends the server as a crash does, and starts it anew.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.halt(syscall.SIGKILL); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends the server, and removes its folder.
func (s *Server) Stop() error {
	return errors.Join(s.halt(syscall.SIGTERM), os.RemoveAll(s.dir))
}

// Admin opens a database as the server's administrator.
func (s *Server) Admin(name string) (*sql.DB, error) { return s.admin(name) }

// NewDatabase makes an empty database, and gives its name.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	db, err := s.admin("")
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	name := fmt.Sprintf("karbor%d", s.count.Add(1))
	for _, text := range s.creating(name) {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return "", fmt.Errorf("%s: %w", text, err)
		}
	}
	return name, nil
}

// URL gives the address of a database for its user.
func (s *Server) URL(name string) string {
	return fmt.Sprintf("%s://karbor@127.0.0.1:%d/%s", s.Scheme, s.Port, name)
}
