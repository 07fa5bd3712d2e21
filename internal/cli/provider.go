package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) provider() *cobra.Command {
	return groupOf("provider", "Providers: sets of plug-ins and a bank", a.providerList(), a.providerShow())
}

func (a *app) providerList() *cobra.Command {
	var l listFlags
	var name, description string
	cmd := a.command("list", "List providers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		providers, err := collect(c.Providers.List(ctx, l.options(map[string]string{"name": name, "description": description})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), providers, "id", "name", "description")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "", "those with this in their name")
	cmd.Flags().StringVar(&description, "description", "", "those with this description")
	return cmd
}

func (a *app) providerShow() *cobra.Command {
	return a.command("show PROVIDER", "Show a provider", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		p, err := a.findProvider(ctx, c, args[0])
		if err != nil {
			return err
		}
		return a.printer().Show(p)
	})
}
