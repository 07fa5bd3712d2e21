package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/store"
)

func leftoversCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leftovers",
		Short: "Look after what operations have left in the cloud",
		Long: `Look after what operations that failed have made in the tenants' clouds and could not
remove. The service tries to remove each soon, then more and more seldom, until it is given up.`,
	}
	cmd.AddCommand(leftoversListCommand(), leftoversRetryCommand(), leftoversForgetCommand())
	configured.AddFlag(cmd.PersistentFlags())
	return cmd
}

// leftover is one as it is printed.
type leftover struct {
	Operation  string    `json:"operation"`
	Project    string    `json:"project"`
	Provider   string    `json:"provider"`
	Checkpoint string    `json:"checkpoint"`
	Resource   string    `json:"resource"`
	Tries      int64     `json:"tries"`
	TriedAt    time.Time `json:"tried_at"`
	GivenUp    bool      `json:"given_up"`
	Reason     string    `json:"reason"`
}

func leftoversListCommand() *cobra.Command {
	var project, format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what is left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found []leftover
			err := onDatabase(cmd, func(ctx context.Context, s *store.Store) (err error) {
				found, err = listLeftovers(ctx, s, project)
				return err
			})
			if err != nil {
				return err
			}
			return output.List(output.Printer{Out: cmd.OutOrStdout(), Format: format}, found,
				"operation", "project", "checkpoint", "resource", "tries", "given_up", "reason")
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "only what lies in the cloud of the project with this id")
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, json, yaml, csv or value")
	return cmd
}

func listLeftovers(ctx context.Context, s *store.Store, project string) ([]leftover, error) {
	const batch = 500
	found := []leftover{}
	for last := (store.Leftover{}); ; {
		page, err := s.Leftovers(ctx, last, batch)
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			if project == "" || l.ProjectID == project {
				found = append(found, leftover{
					l.OperationID, l.ProjectID, l.ProviderID, l.CheckpointID, string(l.Key), l.Tries, l.TriedAt, l.GivenUp, l.Reason,
				})
			}
		}
		if len(page) < batch {
			return found, nil
		}
		last = page[len(page)-1]
	}
}

func leftoversRetryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry OPERATION",
		Short: "Have the service try again now",
		Long: `Have the service try again now to remove what an operation has left. It does within a
minute. What is given up is not tried again: nobody can act in the tenant's name any
more. The tenant can, by deleting the checkpoint.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeLeftovers(cmd, args[0], "tried again", "to be tried again", (*store.Store).HastenLeftovers)
		},
	}
}

func leftoversForgetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forget OPERATION",
		Short: "Forget what is given up",
		Long: `Forget what an operation has left and what is given up, once it is removed by hand: the
service does not know any more what the operation made.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeLeftovers(cmd, args[0], "forgotten", "forgotten", (*store.Store).ForgetLeftovers)
		},
	}
}

func changeLeftovers(cmd *cobra.Command, operation, verb, done string, change func(*store.Store, context.Context, string) (int64, error)) error {
	var n int64
	err := onDatabase(cmd, func(ctx context.Context, s *store.Store) (err error) {
		n, err = change(s, ctx, operation)
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("operation %s has nothing left that can be %s", operation, verb)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d %s\n", n, done)
	return err
}

// onDatabase does something in the database that the configuration names, beside a
// service that runs.
func onDatabase(cmd *cobra.Command, do func(context.Context, *store.Store) error) error {
	ctx := cmd.Context()
	d, err := configured.OpenDatabase(cmd)
	if err != nil {
		return err
	}
	// A start may change the schema; this must not, under a service that runs.
	have, err := store.SchemaOf(ctx, d.Location, d.Options.Server)
	if err != nil {
		return err
	}
	if len(have.Pending) > 0 {
		return store.ErrOlder
	}
	s, err := store.Open(ctx, d.Location, d.Options)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, s), s.Close())
}
