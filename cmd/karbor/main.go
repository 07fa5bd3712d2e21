// Karbor is the command for Karbor's users: plans, checkpoints, restores. See
// docs/tenants/README.md.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/karbor/karbor/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	code := cli.Run(ctx, os.Args[1:], cli.Options{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: os.Getenv, Now: time.Now, HTTP: newHTTP, Pause: pause,
		Again:    func(ctx context.Context) (context.Context, func(), bool) { return again(ctx, interrupts) },
		Terminal: drawable(os.Stderr),
		Version:  version(),
	})
	stop()
	os.Exit(code)
}

// again gives a context that ends with the next signal, and tells whether the last one
// came from the keyboard.
func again(ctx context.Context, interrupts <-chan os.Signal) (context.Context, func(), bool) {
	next, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	// The signal comes to its receivers one after the other.
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-interrupts:
		return next, stop, true
	case <-timer.C:
		return next, stop, false
	}
}

// drawable reports whether bars can be drawn on f: a terminal that knows its
// width.
func drawable(f *os.File) bool {
	width, _, err := term.GetSize(int(f.Fd()))
	return err == nil && width > 0
}

// newHTTP makes the client that all requests go through.
func newHTTP(trust cli.Trust) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: trust.Insecure}
	if trust.CACert != "" {
		text, err := os.ReadFile(trust.CACert)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("there are no certificates in %s", trust.CACert)
		}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       settings,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
	}
	return &http.Client{Transport: transport}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// version gives what the Go toolchain wrote into the program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
