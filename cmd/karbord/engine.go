package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
)

func engineCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "engine", Short: "Look after what runs the operations"}
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Hand the local engine's operations to a Temporal cluster",
		Long: `Hand the operations that the local engine has not finished to the Temporal cluster
that the configuration names. They go on there from where they are, as soon as a process
with the role protection runs. No such process may run meanwhile. After a failure it is
repeated.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := configured.Load(cmd)
			if err != nil {
				return err
			}
			lock, err := daemon.Lock(c.State)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Close()) }()
			moved, err := daemon.Migrate(cmd.Context(), daemon.Options{Config: c, Now: time.Now, Logger: configured.Logger(cmd.ErrOrStderr(), c.Log)})
			_, said := fmt.Fprintf(cmd.OutOrStdout(), "operations handed over: %d\n", moved)
			return errors.Join(err, said)
		},
	}
	configured.AddFlag(migrate.Flags())
	cmd.AddCommand(migrate, rebuildCommand())
	return cmd
}

func rebuildCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Have operations begin anew whose journal is damaged",
		Long: `Have the unfinished operations begin anew whose journal the local engine refuses, since it
is damaged: from what the database has of them beside the journal. Stop the processes with
the role protection first. What the operations have made is found again, and is not made
twice. What is in the bank stays.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configured.Load(cmd)
			if err != nil {
				return err
			}
			return onDatabase(cmd, func(ctx context.Context, s *store.Store) error {
				rebuilt, err := daemon.Rebuild(ctx, daemon.Options{Config: c, Now: time.Now, Logger: configured.Logger(cmd.ErrOrStderr(), c.Log)}, s, all)
				said := make([]error, 0, len(rebuilt)+1)
				for _, r := range rebuilt {
					why := "as asked"
					if r.Why != nil {
						why = r.Why.Error()
					}
					_, failed := fmt.Fprintf(cmd.OutOrStdout(), "%s begins anew: %s\n", r.Operation, why)
					said = append(said, failed)
				}
				_, failed := fmt.Fprintf(cmd.OutOrStdout(), "operations that begin anew: %d\n", len(rebuilt))
				return errors.Join(append(said, failed, err)...)
			})
		},
	}
	configured.AddFlag(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "all that are not over, damaged or not")
	return cmd
}
