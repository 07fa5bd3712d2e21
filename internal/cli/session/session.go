// Package session is one run of the karbor command, as its commands see it: the flags
// that all have, the login, how to print, and how commands are made.
package session

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/client/keystone"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
)

// Options are the command's surroundings. All but Again, Terminal and Version are
// required.
type Options struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Env gives a variable of the environment, or "".
	Env func(string) string
	Now func() time.Time
	// HTTP makes the client for the service and Keystone; trust says which
	// certificates to accept.
	HTTP func(trust Trust) (*http.Client, error)
	// Pause waits, or ends early with the context's error.
	Pause func(ctx context.Context, d time.Duration) error
	// Again tells whether a context has ended because the user interrupted the command
	// from the keyboard, and gives one that ends with the next interrupt; stop releases
	// it. nil tells nothing.
	Again func(ctx context.Context) (next context.Context, stop func(), interrupted bool)
	// Terminal says that Stderr is one, so that progress is drawn as bars.
	Terminal bool
	// Version is printed by --version.
	Version string
}

// Trust says which servers' certificates to accept.
type Trust struct {
	CACert   string // path of a file with certificates; empty for the system's
	Insecure bool
}

// Session is one run of the command. It is not for concurrent use.
type Session struct {
	Options
	global global
	// running is set once a command's own work begins: what fails before is
	// the fault of the command line.
	running bool
	client  *client.Client
	// keystone and project, the id of its project, are set with client.
	keystone *keystone.Session
	project  string
}

// New gives a run that has not begun.
func New(o Options) *Session { return &Session{Options: o} }

// Flags adds the flags that every command has.
func (s *Session) Flags(f *pflag.FlagSet) { s.global.flags(f) }

// Running reports whether a command's own work has begun: what failed before is the fault
// of the command line.
func (s *Session) Running() bool { return s.running }

// Connect logs in, once in a run, and gives the client for the service.
func (s *Session) Connect(ctx context.Context) (*client.Client, error) {
	if s.client != nil {
		return s.client, nil
	}
	credentials := s.global.credentials.Or(keystone.FromEnvironment(s.Env))
	credentials.Insecure = credentials.Insecure || s.global.insecure
	cloud := s.global.cloud
	if cloud == "" {
		cloud = s.Env("OS_CLOUD")
	}
	if cloud != "" {
		named, err := keystone.FromClouds(cloud, s.Env)
		if err != nil {
			return nil, err
		}
		credentials = credentials.Or(named)
	}
	transport, err := s.HTTP(Trust{CACert: credentials.CACert, Insecure: credentials.Insecure})
	if err != nil {
		return nil, err
	}
	login, cancel := context.WithTimeout(ctx, s.global.request)
	defer cancel()
	session, err := keystone.Login(login, credentials, transport)
	if err != nil {
		return nil, err
	}
	s.keystone = session
	if s.project, err = session.ProjectID(); err != nil {
		return nil, err
	}
	endpoint, err := session.Endpoint()
	if err != nil {
		return nil, err
	}
	s.client, err = client.New(client.Options{Endpoint: endpoint, Tokens: session, HTTP: transport,
		Timeout: s.global.request, Pause: s.Pause, UserAgent: "karbor/" + s.Version})
	return s.client, err
}

// Project is the id of the project that the run is logged in to; it is known once Connect
// has succeeded.
func (s *Session) Project() string { return s.project }

// ProjectName is the name of that project, "" where Keystone did not tell it.
func (s *Session) ProjectName() string { return s.keystone.ProjectName() }

// FindProject gives the id of a project by its name or id. Connect comes first.
func (s *Session) FindProject(ctx context.Context, ref string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.global.request)
	defer cancel()
	return s.keystone.FindProject(ctx, ref)
}

// Printer makes the printer of the flags that every command has.
func (s *Session) Printer() output.Printer {
	return output.Printer{Out: s.Stdout, Format: s.global.format, Columns: s.global.columns}
}

// Say prints a line for a human on standard error, unless --quiet.
func (s *Session) Say(format string, args ...any) {
	if !s.global.quiet {
		// Nothing depends on this line.
		_, _ = fmt.Fprintf(s.Stderr, format+"\n", args...)
	}
}

// Display makes what shows the progress of an operation.
func (s *Session) Display() progress.Display {
	if s.global.quiet {
		return progress.Quiet{}
	}
	return progress.New(s.Stderr, s.Terminal, s.Now)
}

// Write writes a file that only the user may read; "" and "-" are standard output.
func (s *Session) Write(path string, text []byte) error {
	if path == "" || path == "-" {
		_, err := s.Stdout.Write(text)
		return err
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return nil
}

// Whole reports whether the output's format shows a thing whole, with what lies in it, not
// as lines.
func (s *Session) Whole() bool { return s.global.format == "json" || s.global.format == "yaml" }
