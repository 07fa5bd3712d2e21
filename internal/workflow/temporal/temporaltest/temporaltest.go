// Package temporaltest starts a real Temporal server on a real PostgreSQL for tests: on
// loopback, in a temporary folder. The server is built from its Go module, which is in
// the go.mod of test/temporal; the first build takes minutes.
package temporaltest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/karbor/karbor/internal/store/storetest/servers"
)

// Namespace is the one that the server has.
const Namespace = "karbor"

// Server is a running Temporal server.
type Server struct {
	// PostgreSQL holds what it keeps, and may hold more.
	PostgreSQL *servers.Server
	// Address is where clients reach it.
	Address string

	dir      string
	port     int
	security []string
	process  *exec.Cmd
	ended    chan struct{}
}

// startTime bounds the start of a server, stopTime its end.
const (
	startTime = 2 * time.Minute
	stopTime  = 20 * time.Second
)

// built is the environment variable that names a server which is built already.
const built = "KARBOR_TEMPORAL_SERVER"

// program builds the server, once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(built); path != "" {
		return path, nil
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the folder of the sources is not known")
	}
	root := filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
	out := filepath.Join(os.TempDir(), fmt.Sprintf("karbor-temporal-%d", os.Getuid()))
	cmd := exec.Command("go", "build", "-p", "2", "-o", out, ".")
	cmd.Dir = filepath.Join(root, "test", "temporal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the Temporal server: %w: %s", err, text)
	}
	return out, nil
})

// Start starts a PostgreSQL server and a Temporal server on it.
func Start(ctx context.Context) (*Server, error) {
	postgres, err := servers.PostgreSQL(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{PostgreSQL: postgres}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// StartTLS is Start with TLS: the files are a certificate and its key, the authority that
// signed the clients', and one of those with its key.
func StartTLS(ctx context.Context, cert, key, ca, clientCert, clientKey string) (*Server, error) {
	postgres, err := servers.PostgreSQL(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{PostgreSQL: postgres, security: []string{"-cert", cert, "-key", key, "-ca", ca,
		"-client-cert", clientCert, "-client-key", clientKey}}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) prepare(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "karbor-temporal-"); err != nil {
		return err
	}
	if s.port, err = freePorts(ctx, 4); err != nil {
		return err
	}
	s.Address = "127.0.0.1:" + strconv.Itoa(s.port)
	db, err := s.PostgreSQL.Admin("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE ROLE "+user+" LOGIN PASSWORD '"+user+"'"); err != nil {
		return err
	}
	return s.start(ctx)
}

// user is the server's own in the database, and its password: the server can't bear the
// signs of Karbor's.
const user = "temporal"

// freePorts gives the first of n ports in a row that nobody listens at.
func freePorts(ctx context.Context, n int) (int, error) {
	var lc net.ListenConfig
	for range 100 {
		first, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port, held := first.Addr().(*net.TCPAddr).Port, []net.Listener{first}
		for i := 1; i < n; i++ {
			if l, err := lc.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port+i)); err == nil {
				held = append(held, l)
			}
		}
		for _, l := range held {
			_ = l.Close()
		}
		if len(held) == n {
			return port, nil
		}
	}
	return 0, errors.New("there are no free ports in a row")
}

// databases makes the server's empty databases; what there was is lost.
func (s *Server) databases(ctx context.Context) error {
	db, err := s.PostgreSQL.Admin("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, name := range []string{"temporal", "temporal_visibility"} {
		for _, text := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name + " OWNER " + user} {
			if _, err := db.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
	}
	return nil
}

// start makes the databases, and starts the server on them.
func (s *Server) start(ctx context.Context) error {
	if err := s.databases(ctx); err != nil {
		return err
	}
	return s.serve(ctx)
}

func (s *Server) serve(ctx context.Context) error {
	path, err := program()
	if err != nil {
		return err
	}
	args := append([]string{"-port", strconv.Itoa(s.port), "-database", "127.0.0.1:" + strconv.Itoa(s.PostgreSQL.Port),
		"-user", user, "-namespace", Namespace, "-log", filepath.Join(s.dir, "log")}, s.security...)
	s.process = exec.CommandContext(context.WithoutCancel(ctx), path, args...)
	s.process.Env = append(os.Environ(), "TEMPORAL_PASSWORD="+user)
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	s.process.Stderr = &said
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting the Temporal server: %w", err)
	}
	ready := make(chan struct{})
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "ready" {
				close(ready)
			}
		}
		_ = s.process.Wait() // what it says is in said
	}()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case <-ready:
		return nil
	case <-s.ended:
		return fmt.Errorf("the Temporal server ended: %s", said.String())
	case <-timer.C:
		return errors.Join(errors.New("the Temporal server does not get ready"), s.halt(syscall.SIGKILL))
	}
}

func (s *Server) halt(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		_ = s.process.Process.Kill()
		<-s.ended
	}
	s.process = nil
	return nil
}

// Restart ends the server as a crash does, and starts it anew.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.halt(syscall.SIGKILL); err != nil {
		return err
	}
	return s.serve(ctx)
}

// Wipe ends the server as a crash does, empties its databases, and starts it anew.
func (s *Server) Wipe(ctx context.Context) error {
	if err := s.halt(syscall.SIGKILL); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends both servers, and removes what they kept.
func (s *Server) Stop() error {
	return errors.Join(s.halt(syscall.SIGTERM), s.PostgreSQL.Stop(), os.RemoveAll(s.dir))
}
