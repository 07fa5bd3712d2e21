// Package cli is the karbor command: Karbor's API for people and scripts.
//
// It reaches the service through package client only, and the world through
// its Options only, so that a test can run it whole.
//
// Each kind of the API's resources has a room of its own below, which is registered in
// command; what the rooms share is in session (one run of the command), operation (what is
// waited for), argument and choice (what flags say), lookup (what names mean) and exit.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/applicationcredentials"
	"github.com/karbor/karbor/internal/cli/checkpoints"
	"github.com/karbor/karbor/internal/cli/compliance"
	"github.com/karbor/karbor/internal/cli/copies"
	"github.com/karbor/karbor/internal/cli/drills"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/mappingprofiles"
	"github.com/karbor/karbor/internal/cli/operationlogs"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/plans"
	"github.com/karbor/karbor/internal/cli/protectables"
	"github.com/karbor/karbor/internal/cli/providers"
	"github.com/karbor/karbor/internal/cli/quotas"
	"github.com/karbor/karbor/internal/cli/restores"
	"github.com/karbor/karbor/internal/cli/scheduledoperations"
	"github.com/karbor/karbor/internal/cli/services"
	"github.com/karbor/karbor/internal/cli/session"
	"github.com/karbor/karbor/internal/cli/temporaryresources"
	"github.com/karbor/karbor/internal/cli/triggers"
	"github.com/karbor/karbor/internal/cli/verifications"
)

// Options are the command's surroundings.
type Options = session.Options

// Trust says which servers' certificates to accept.
type Trust = session.Trust

// Run runs the command with its arguments (without the program's name) and
// gives the exit code; see the table in docs/tenants/README.md.
func Run(ctx context.Context, args []string, o Options) int {
	s := session.New(o)
	root := command(s) //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.OK
	}
	if !s.Running() {
		err = exit.AsUsage(err)
	}
	code := exit.Code(ctx, err)
	complain(ctx, s.Stderr, err, code)
	return code
}

// complain prints an error as one line.
func complain(ctx context.Context, to io.Writer, err error, code int) {
	text := err.Error()
	if code == exit.Interrupted {
		text = "interrupted"
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			text = cause.Error()
		}
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") // errors of several things
	text = strings.Join(strings.Fields(text), " ")
	if next := exit.Advice(err); next != "" && code != exit.Interrupted {
		text += "; " + next
	}
	if id := client.RequestID(err); id != "" {
		text += " (" + id + ")"
	}
	// There is nowhere to say that standard error can't be written.
	_, _ = fmt.Fprintln(to, "karbor: "+text)
}

// command makes the command karbor with all that is below it.
func command(s *session.Session) *cobra.Command {
	root := &cobra.Command{
		Use:           "karbor",
		Short:         "Protect applications in an OpenStack cloud, and restore them",
		Version:       s.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          session.Guide,
		Args:          cobra.ArbitraryArgs,
	}
	root.SetVersionTemplate("karbor {{.Version}}\n")
	s.Flags(root.PersistentFlags())
	_ = root.RegisterFlagCompletionFunc("format", session.Fixed(output.Formats()...)) // the flag is there
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(session.FlagError)
	root.AddCommand(
		plans.Command(s), providers.Command(s), protectables.Command(s), checkpoints.Command(s),
		restores.Command(s), operationlogs.Command(s), applicationcredentials.Command(s), verifications.Command(s),
		drills.Command(s), copies.Command(s), quotas.Command(s), quotas.ClassCommand(s),
		compliance.Command(s), mappingprofiles.Command(s), triggers.Command(s), scheduledoperations.Command(s),
		services.Command(s), temporaryresources.Command(s),
		completion(s, root), manualPages(s, root),
	)
	noFiles(root)
	return root
}

// noFiles keeps the shell from completing files where a command says nothing else of its
// arguments.
func noFiles(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.ValidArgsFunction == nil {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
		noFiles(sub)
	}
}
