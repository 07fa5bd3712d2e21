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

// Process is a running "karbord dev".
type Process struct {
	program, state string
	log            io.Writer
	// API and Cloud are the URLs of its ready line.
	API, Cloud string

	cmd   *exec.Cmd
	ended chan error
}

// Start runs karbord on free ports and waits until it is ready.
func Start(ctx context.Context, program, state string, log io.Writer) (*Process, error) {
	p := &Process{program: program, state: state, log: log}
	return p, p.run(ctx, "127.0.0.1:0", "127.0.0.1:0")
}

// Again runs karbord on the same state and the same ports, after Kill.
func (p *Process) Again(ctx context.Context) error {
	api, err := url.Parse(p.API)
	if err != nil {
		return fmt.Errorf("reading the address %q: %w", p.API, err)
	}
	cloud, err := url.Parse(p.Cloud)
	if err != nil {
		return fmt.Errorf("reading the address %q: %w", p.Cloud, err)
	}
	return p.run(ctx, api.Host, cloud.Host)
}

func (p *Process) run(ctx context.Context, listen, cloudListen string) error {
	p.cmd = exec.Command(p.program, "dev", "--state", p.state, "--listen", listen, "--cloud-listen", cloudListen)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting karbord: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting karbord: %w", err)
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	p.ended = ended
	cmd, log := p.cmd, p.log
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
	if p.API == "" || p.Cloud == "" {
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
