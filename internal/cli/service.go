package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) service() *cobra.Command {
	return groupOf("service", "Karbor's own services (administrators)", a.serviceList(), a.serviceEnable(), a.serviceDisable())
}

// serviceColumns are those that are shown of a service.
var serviceColumns = []string{"id", "binary", "host", "status", "state", "updated_at", "version", "disabled_reason"}

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
	return a.command("enable SERVICE", "Let an operation engine take new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return a.changeService(ctx, args[0], func(c *client.Client, id int64) (client.Service, error) {
				return c.Services.Enable(ctx, id)
			})
		})
}

func (a *app) serviceDisable() *cobra.Command {
	var reason string
	cmd := a.command("disable SERVICE", "Keep an operation engine from taking new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return a.changeService(ctx, args[0], func(c *client.Client, id int64) (client.Service, error) {
				return c.Services.Disable(ctx, id, reason)
			})
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

// engineOn gives the number of the operation engine on a host, the only service that
// can be enabled and disabled.
func engineOn(ctx context.Context, c *client.Client, host string) (int64, error) {
	const binary = "karbor-operationengine"
	var hosts []string
	for s, err := range c.Services.List(ctx, client.ListOptions{Filters: map[string]string{"binary": binary}}) {
		switch {
		case err != nil:
			return 0, err
		case s.Binary == binary && s.Host == host:
			return s.ID, nil
		case s.Binary == binary:
			hosts = append(hosts, s.Host)
		}
	}
	return 0, karbor.Errorf(karbor.NotFound, "there is no %s on a host %q; there is one on: %s", binary, host, strings.Join(hosts, ", "))
}

func (a *app) changeService(ctx context.Context, ref string, change func(*client.Client, int64) (client.Service, error)) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(ref, 10, 64)
	if err != nil {
		if id, err = engineOn(ctx, c, ref); err != nil {
			return err
		}
	}
	s, err := change(c, id)
	if err != nil {
		return err
	}
	return a.printer().Show(s)
}
