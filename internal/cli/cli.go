// Package cli is the karbor command: Karbor's API for people and scripts.
//
// It reaches the service through package client only, and the world through
// its Options only, so that a test can run it whole.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
)

// Options are the command's surroundings. All but Terminal and Version are
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

// app is one run of the command.
type app struct {
	Options
	global global
	// running is set once a command's own work begins: what fails before is
	// the fault of the command line.
	running bool
	client  *client.Client
	// project is the id of the session's project; set with client.
	project string
}

// Run runs the command with its arguments (without the program's name) and
// gives the exit code; see the table in docs/tenants/README.md.
func Run(ctx context.Context, args []string, o Options) int {
	a := &app{Options: o}
	root := a.root() //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !a.running {
		err = usageError{err}
	}
	code := exitCode(ctx, err)
	a.complain(ctx, err, code)
	return code
}

// complain prints an error as one line.
func (a *app) complain(ctx context.Context, err error, code int) {
	text := err.Error()
	if code == exitInterrupted {
		text = "interrupted"
		if s := context.Cause(ctx); s != nil && !errors.Is(s, context.Canceled) {
			text = s.Error()
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if id := client.RequestID(err); id != "" {
		text += " (" + id + ")"
	}
	// There is nowhere to say that standard error can't be written.
	_, _ = fmt.Fprintln(a.Stderr, "karbor: "+text)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "karbor",
		Short:         "Protect applications in an OpenStack cloud, and restore them",
		Version:       a.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          group,
		Args:          cobra.ArbitraryArgs,
	}
	root.SetVersionTemplate("karbor {{.Version}}\n")
	a.global.flags(root.PersistentFlags())
	root.AddCommand(a.plan(), a.provider(), a.protectable(), a.checkpoint(), a.restore(), a.operationLog(),
		a.applicationCredential(), a.verification(), a.copies(), a.quotas(), a.quotaClass(),
		a.trigger(), a.scheduledOperation(), a.service())
	return root
}

// command makes a command whose work is run.
func (a *app) command(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.global.check(); err != nil {
				return err
			}
			a.running = true
			return run(cmd.Context(), args)
		},
	}
}

// groupOf makes a command that only holds others.
func groupOf(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, RunE: group, Args: cobra.ArbitraryArgs}
	g.AddCommand(commands...)
	return g
}

func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return cmd.Help()
}

// printer makes the printer of the global flags.
func (a *app) printer() output.Printer {
	return output.Printer{Out: a.Stdout, Format: a.global.format, Columns: a.global.columns}
}

// say prints a line for a human on standard error, unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.global.quiet {
		// Nothing depends on this line.
		_, _ = fmt.Fprintf(a.Stderr, format+"\n", args...)
	}
}

func (a *app) display() progress.Display {
	if a.global.quiet {
		return progress.Quiet{}
	}
	return progress.New(a.Stderr, a.Terminal, a.Now)
}

// listFlags are the flags that every list has.
type listFlags struct {
	limit   int
	marker  string
	sort    string
	all     bool
	project string
}

func (l *listFlags) add(f *pflag.FlagSet) {
	f.IntVar(&l.limit, "limit", 0, "show at most so many (0: all)")
	f.StringVar(&l.marker, "marker", "", "show what comes after the item with this id")
	f.StringVar(&l.sort, "sort", "", "order, such as name:asc,created_at:desc")
	f.BoolVar(&l.all, "all-projects", false, "those of all projects (administrators)")
	f.StringVar(&l.project, "project", "", "those of one project, by id (administrators)")
}

func (l *listFlags) options(filters map[string]string) client.ListOptions {
	if filters == nil {
		filters = map[string]string{}
	}
	filters["project_id"] = l.project
	return client.ListOptions{Limit: l.limit, Marker: l.marker, Sort: l.sort,
		AllProjects: l.all || l.project != "", Filters: filters}
}
