package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/daemon"
)

// roleCommands are those that run the service, or a part of it.
func roleCommands() []*cobra.Command {
	return []*cobra.Command{
		roleCommand("all", "Run all parts of the service in one process", daemon.AllRoles()),
		roleCommand("api", "Serve the API; others carry out what it accepts", daemon.Roles{API: true}),
		roleCommand("protection", "Carry out operations, and look after the banks", daemon.Roles{Protection: true}),
		roleCommand("operationengine", "Start scheduled operations", daemon.Roles{Schedules: true}),
	}
}

func roleCommand(name, short string, roles daemon.Roles) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configured.Load(cmd)
			if err != nil {
				return err
			}
			password, err := c.Keystone.Password()
			if err != nil {
				return err
			}
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			d, err := daemon.Open(cmd.Context(), daemon.Options{
				Config: c, Roles: roles, Version: version(), Password: password, Sets: setsFor(c), Protectables: protectables(c.Kubernetes.Options()),
				Now: time.Now, Logger: configured.Logger(cmd.ErrOrStderr(), c.Log), Hangups: hangups,
			})
			if err != nil {
				return err
			}
			return d.Run(cmd.Context(), func() {
				line := "ready"
				if roles.API {
					line = fmt.Sprintf("ready api=%s://%s", d.Scheme(), d.Address())
				}
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), line)
			})
		},
	}
	configured.AddFlag(cmd.Flags())
	return cmd
}
