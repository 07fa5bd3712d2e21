package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// readyIn is how long karbord may take to its first answer.
const readyIn = time.Minute

// Options say how karbord is started.
type Options struct {
	// Program is karbord.
	Program string
	// State is the folder for "karbord dev", which brings a simulated cloud along.
	State string
	// Config is the configuration file for "karbord all", in place of State.
	Config string
	// Log gets what karbord writes.
	Log io.Writer
}

// Process is a running karbord.
type Process struct {
	options Options
	// API and Cloud are the URLs of its ready line; Cloud is empty with Config.
	API, Cloud string

	cmd   *exec.Cmd
	ended chan error
}

// Start runs karbord and waits until it is ready. A simulated cloud, and the API
// next to it, get free ports.
func Start(ctx context.Context, o Options) (*Process, error) {
	p := &Process{options: o}
	return p, p.run(ctx)
}

// Again runs karbord on the same state and the same ports, after Kill.
func (p *Process) Again(ctx context.Context) error { return p.run(ctx) }

// arguments gives those for a start, or for another one on the same ports.
func (p *Process) arguments() ([]string, error) {
	if p.options.Config != "" {
		return []string{"all", "--config", p.options.Config}, nil
	}
	args := []string{"dev", "--state", p.options.State}
	for _, one := range []struct{ flag, address string }{{"--listen", p.API}, {"--cloud-listen", p.Cloud}} {
		host := "127.0.0.1:0"
		if one.address != "" {
			u, err := url.Parse(one.address)
			if err != nil {
				return nil, fmt.Errorf("reading the address %q: %w", one.address, err)
			}
			host = u.Host
		}
		args = append(args, one.flag, host)
	}
	return args, nil
}

func (p *Process) run(ctx context.Context) error {
	args, err := p.arguments()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(p.options.Program, args...)
	p.cmd.Stderr = p.options.Log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting karbord: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting karbord: %w", err)
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	p.ended = ended
	cmd, log := p.cmd, p.options.Log
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- rest
			}
			// The log is for a reader after a failure; it can't fail the demo.
			_, _ = fmt.Fprintln(log, "karbord:", lines.Text())
		}
		ended <- cmd.Wait()
	}()
	select {
	case line := <-ready:
		return p.readReady(line)
	case err := <-ended:
		ended <- err
		return fmt.Errorf("karbord ended before it was ready: %w", errors.Join(err, errors.New("see the log")))
	case <-time.After(readyIn):
		return errors.Join(fmt.Errorf("karbord was not ready after %s", readyIn), p.Kill())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
}

func (p *Process) readReady(line string) error {
	for word := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "api":
			p.API = value
		case "cloud":
			p.Cloud = value
		}
	}
	if p.API == "" || p.Cloud == "" && p.options.Config == "" {
		return fmt.Errorf("karbord's ready line lacks api= or cloud=: %q", line)
	}
	return nil
}

// Kill ends karbord with SIGKILL, as a power failure does, and waits until it
// is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing karbord: %w", err)
	}
	err := <-p.ended
	p.ended <- err
	return nil
}

// Stop ends karbord as an operator does, with SIGTERM. It is killed when it has
// not ended after 30 s, which is an error.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping karbord: %w", err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			return fmt.Errorf("karbord did not end cleanly: %w", err)
		}
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("karbord did not end within 30 s of SIGTERM"), p.Kill())
	}
}
