// Command karbord is the Karbor service.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/bankcommand"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/provider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		code, text := bankcommand.Code(err)
		fmt.Fprintf(os.Stderr, "karbord: %s\n", text)
		stop()
		os.Exit(code) //nolint:gocritic // stop has been called
	}
}

// memoryTarget lets the collector work a little harder before the heap grows: the
// service moves terabytes with a few buffers, and should look like it.
const memoryTarget = 50

// command gives karbord's command line.
func command(out, errOut io.Writer) *cobra.Command {
	debug.SetGCPercent(memoryTarget)
	root := &cobra.Command{
		Use:           "karbord",
		Short:         "Karbor, application data protection as a service for OpenStack",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.SetOut(out)
	root.SetErr(errOut)
	root.AddCommand(append(roleCommands(), devCommand(), configCommand(), pluginsCommand(), policyCommand(), dbCommand(), engineCommand(), leftoversCommand(), janitorCommand(), operationCommand(), bankcommand.New(setsFor))...)
	return root
}

// version is what the module's build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	withProviders := false
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configured.Load(cmd)
			if err != nil {
				return err
			}
			if withProviders {
				if err := checkProviders(cmd.Context(), c); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), cmd.Flags().Lookup(configured.Flag).Value.String()+": good")
			return err
		},
	}
	configured.AddFlag(check.Flags())
	check.Flags().BoolVar(&withProviders, "providers", false, "check the provider files too, and that their banks open")
	cmd.AddCommand(check)
	return cmd
}

// checkProviders reads the provider files of a configuration, and opens their banks.
func checkProviders(ctx context.Context, c config.Config) error {
	providers, err := provider.Load(ctx, c.Providers, setsFor(c), provider.Options{Owner: "config-check", Now: time.Now})
	for _, p := range providers {
		err = errors.Join(err, p.Close())
	}
	return err
}

func pluginsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plugins",
		Short: "List the plug-ins of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var errs []error
			line := func(kind, name, summary string) {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%-12s %-36s %s\n", kind, name, summary)
				errs = append(errs, err)
			}
			for _, d := range sets().Banks {
				line("bank", d.Name(), d.Summary())
			}
			for _, d := range protectables(kubernetes.Options{}) {
				line("protectable", d.Name(), d.Summary())
			}
			for _, d := range sets().Protections {
				line("protection", d.Name(), d.Summary())
			}
			return errors.Join(errs...)
		},
	}
}
