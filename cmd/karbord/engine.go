package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
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
			path, err := cmd.Flags().GetString(configFlag)
			if err != nil {
				return err
			}
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			lock, err := daemon.Lock(c.State)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Close()) }()
			moved, err := daemon.Migrate(cmd.Context(), daemon.Options{Config: c, Now: time.Now, Logger: newLogger(cmd.ErrOrStderr(), c.Log)})
			_, said := fmt.Fprintf(cmd.OutOrStdout(), "operations handed over: %d\n", moved)
			return errors.Join(err, said)
		},
	}
	migrate.Flags().String(configFlag, defaultConfig, "configuration file")
	cmd.AddCommand(migrate)
	return cmd
}
