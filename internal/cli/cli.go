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
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/client/keystone"
	"github.com/karbor/karbor/internal/cli/manual"
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

// app is one run of the command.
type app struct {
	Options
	global global
	// running is set once a command's own work begins: what fails before is
	// the fault of the command line.
	running bool
	client  *client.Client
	// session and project, the id of its project, are set with client.
	session *keystone.Session
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
	if next := advice(err); next != "" && code != exitInterrupted {
		text += "; " + next
	}
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
	_ = root.RegisterFlagCompletionFunc("format", fixed(output.Formats()...)) // the flag is there
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.plan(), a.provider(), a.protectable(), a.checkpoint(), a.restore(), a.operationLog(),
		a.applicationCredential(), a.verification(), a.drill(), a.copies(), a.quotas(), a.quotaClass(),
		a.compliance(), a.mappingProfile(), a.trigger(), a.scheduledOperation(), a.service(), completion(root), a.manual(root))
	explain(root)
	a.complete(root, a.arguments())
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
	if len(args) == 0 {
		return cmd.Help()
	}
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, append(c.Aliases, c.Name())...)
	}
	path := cmd.CommandPath()
	// The shell of python-karborclient has plan-create, and so on.
	if noun, verb, ok := strings.Cut(args[0], "-"); ok && slices.Contains(known, noun) {
		return fmt.Errorf("unknown command %q for %q; did you mean \"%s %s %s\"?", args[0], path, path, noun, verb)
	}
	if near := nearest(args[0], known); near != "" {
		return fmt.Errorf("unknown command %q for %q; did you mean %q?", args[0], path, path+" "+near)
	}
	return fmt.Errorf("unknown command %q for %q; see %s --help", args[0], path, path)
}

// flagError names the flag that may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}

// manual makes the command that writes manual pages.
func (a *app) manual(root *cobra.Command) *cobra.Command {
	cmd := a.command("man DIR", "Write the manual pages into a folder", cobra.ExactArgs(1), func(_ context.Context, args []string) error {
		return manual.WriteTree(root, manual.Header{Source: "karbor " + a.Version, Manual: "Karbor"}, args[0])
	})
	cmd.Long = "Writes a manual page for each command into the folder DIR, which is made if it is\nnot there: karbor.1, karbor-plan.1, karbor-plan-create.1 and so on."
	return cmd
}

// creating gives a command that creates something the flag for the Idempotency-Key.
func creating(cmd *cobra.Command) *cobra.Command {
	var key string
	cmd.Flags().StringVar(&key, "idempotency-key", "", "the same key again within a day gives the first answer again, and creates nothing")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if key != "" {
			cmd.SetContext(client.WithIdempotencyKey(cmd.Context(), key))
		}
		return run(cmd, args)
	}
	return cmd
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
	f.StringVar(&l.project, "project", "", "those of one project, by name or id (administrators)")
}

// connect logs in, and finds the id of the project.
func (l *listFlags) connect(ctx context.Context, a *app) (*client.Client, error) {
	c, err := a.connect(ctx)
	if err == nil && l.project != "" {
		l.project, err = a.session.FindProject(ctx, l.project)
	}
	return c, err
}

func (l *listFlags) options(filters map[string]string) client.ListOptions {
	return client.ListOptions{Limit: l.limit, Marker: l.marker, Sort: l.sort, AllProjects: l.all, Project: l.project, Filters: filters}
}
