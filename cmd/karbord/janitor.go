package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/internal/store"
)

// left is a thing of the cloud as it is printed.
type left struct {
	Kind         janitor.Kind `json:"kind"`
	ID           string       `json:"id"`
	Project      string       `json:"project"`
	Status       string       `json:"status"`
	CreatedAt    time.Time    `json:"created_at"`
	MadeFor      string       `json:"made_for"`
	Provider     string       `json:"provider"`
	Installation string       `json:"installation"`
	// Verdict is orphan, removed, spared or failed, and Why says why of the last two.
	Verdict string `json:"verdict"`
	Why     string `json:"why"`
}

func leftOf(f janitor.Finding) left {
	l := left{
		Kind: f.Kind, ID: f.ID, Project: f.ProjectID, Status: f.Status, CreatedAt: f.CreatedAt, MadeFor: f.Owner(), Provider: f.Provider(),
		Installation: f.Installation(), Verdict: "orphan", Why: f.Spared,
	}
	switch {
	case f.Spared == "" && f.Failure == nil && !f.Removed && f.Restoring():
		l.Why = "of a restore that nobody knows, which has not finished it; it stays without --unfinished-restores"
	case f.Failure != nil:
		l.Verdict, l.Why = "failed", f.Failure.Error()
	case f.Spared != "":
		l.Verdict = "spared"
	case f.Removed:
		l.Verdict = "removed"
	}
	return l
}

func janitorCommand() *cobra.Command {
	var q janitor.Query
	var format string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "janitor",
		Short: "Find, or remove, what is left in the cloud of operations that nobody knows",
		Long: `Find temporary snapshots, volumes and images in the projects of the cloud that operations
have made, and all that restore drills have, and that neither an operation nor the ledger of
leftovers knows of: since the database was lost, or brought back from a copy. It works beside a service that runs, as the
service user, who must be an administrator to see and remove what is in other projects.

Only what bears this Karbor's tag and the name that goes with it is an orphan, and only when
it is older than janitor.age. What is spared is listed too, with the reason. What a restore
that nobody knows has begun, and was to leave, is an orphan too, but stays, unless
--unfinished-restores says that it is to go: it is its tenant's data, half made.`,
		Example: `  karbord janitor --dry-run
  karbord janitor --provider PROVIDER --remove
  karbord janitor --any`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, failed := clean(cmd, q)
			err := output.List(output.Printer{Out: cmd.OutOrStdout(), Format: format}, found,
				"kind", "id", "project", "made_for", "created_at", "verdict", "why")
			return errors.Join(failed, err)
		},
	}
	flags := cmd.Flags()
	configured.AddFlag(flags)
	flags.BoolVar(&dryRun, "dry-run", false, "only list; so it is without --remove")
	flags.BoolVar(&q.Remove, "remove", false, "ask the cloud to delete the orphans")
	flags.BoolVar(&q.Unfinished, "unfinished-restores", false, "with --remove, also delete what restores that nobody knows have not finished; ask the tenants first")
	flags.BoolVar(&q.Any, "any", false, "list what other Karbors have made as well")
	flags.StringVar(&q.Installation, "installation", "", "take for orphans what this Karbor made with a service key that is lost; --any shows the names")
	flags.StringVar(&q.Provider, "provider", "", "only what was made for the provider with this id")
	flags.StringVar(&q.Project, "project", "", "only what lies in the project with this id")
	flags.StringVarP(&format, "format", "f", "table", "table, json, yaml, csv or value")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "remove")
	return cmd
}

// clean makes one round, and gives what it found even beside an error.
func clean(cmd *cobra.Command, q janitor.Query) ([]left, error) {
	c, err := configured.Load(cmd)
	if err != nil {
		return nil, err
	}
	password, err := c.Keystone.Password()
	if err != nil {
		return nil, err
	}
	found := []left{}
	err = onDatabase(cmd, func(ctx context.Context, s *store.Store) error {
		o := daemon.Options{Config: c, Password: password, Sets: setsFor(c), Now: time.Now, Logger: configured.Logger(cmd.ErrOrStderr(), c.Log)}
		return daemon.Janitor(ctx, o, s, func(ctx context.Context, j *janitor.Janitor) error {
			findings, err := j.Round(ctx, q)
			for _, f := range findings {
				found = append(found, leftOf(f))
			}
			return err
		})
	})
	return found, err
}
