package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) service() *cobra.Command {
	return groupOf("service", "Karbor's own services (administrators)", a.serviceList(), a.serviceEnable(), a.serviceDisable())
}

// serviceColumns are those that are shown of a service.
var serviceColumns = []string{"id", "binary", "host", "status", "state", "updated_at", "disabled_reason"}

func (a *app) serviceList() *cobra.Command {
	var l listFlags
	var host, binary string
	cmd := a.command("list", "List the services, and whether they run", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		all, err := collect(c.Services.List(ctx, client.ListOptions{Limit: l.limit, Marker: l.marker, Sort: l.sort,
			Filters: map[string]string{"host": host, "binary": binary}}))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, serviceColumns...)
	})
	f := cmd.Flags()
	f.IntVar(&l.limit, "limit", 0, "show at most so many (0: all)")
	f.StringVar(&l.marker, "marker", "", "show what comes after the service with this id")
	f.StringVar(&l.sort, "sort", "", "order, such as host:asc,binary:asc")
	f.StringVar(&host, "host", "", "those on a host")
	f.StringVar(&binary, "binary", "", "karbor-protection or karbor-operationengine")
	return cmd
}

func (a *app) serviceEnable() *cobra.Command {
	return a.command("enable ID", "Let an operation engine take new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return a.changeService(ctx, args[0], func(c *client.Client, id int64) (client.Service, error) {
				return c.Services.Enable(ctx, id)
			})
		})
}

func (a *app) serviceDisable() *cobra.Command {
	var reason string
	cmd := a.command("disable ID", "Keep an operation engine from taking new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return a.changeService(ctx, args[0], func(c *client.Client, id int64) (client.Service, error) {
				return c.Services.Disable(ctx, id, reason)
			})
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func (a *app) changeService(ctx context.Context, number string, change func(*client.Client, int64) (client.Service, error)) error {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return usagef("%q is not the number of a service", number)
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	s, err := change(c, id)
	if err != nil {
		return err
	}
	return a.printer().Show(s)
}
