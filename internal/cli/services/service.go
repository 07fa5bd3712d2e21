// Package services has the command service.
package services

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command service.
func Command(s *session.Session) *cobra.Command {
	return session.Group("service", "Karbor's own services (administrators)",
		s.Help(list(s), session.Help{Example: `karbor service list --binary karbor-operationengine`}),
		s.Help(enable(s), session.Help{Example: `karbor service enable controller1`}),
		s.Help(disable(s), session.Help{Example: `karbor service disable controller1 --reason "new memory on Tuesday"`}),
	)
}

// columns are those that are shown of a service.
var columns = []string{"id", "binary", "host", "status", "state", "updated_at", "version", "disabled_reason"}

func list(s *session.Session) *cobra.Command {
	var o client.ListOptions
	var host, binary string
	cmd := s.Command("list", "List the services, and whether they run", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		o.Filters = map[string]string{"host": host, "binary": binary}
		all, err := session.Collect(c.Services.List(ctx, o))
		if err != nil {
			return err
		}
		return output.List(s.Printer(), all, columns...)
	})
	f := cmd.Flags()
	f.IntVar(&o.Limit, "limit", 0, "show at most so many (0: all)")
	f.StringVar(&o.Marker, "marker", "", "show what comes after the service with this id")
	f.StringVar(&o.Sort, "sort", "", "order, such as host:asc,binary:asc")
	f.StringVar(&host, "host", "", "those on a host")
	f.StringVar(&binary, "binary", "", "karbor-protection or karbor-operationengine")
	return cmd
}

func enable(s *session.Session) *cobra.Command {
	return s.Command("enable SERVICE", "Let an operation engine take new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return changeOne(ctx, s, args[0], func(c *client.Client, id int64) (client.Service, error) {
				return c.Services.Enable(ctx, id)
			})
		})
}

func disable(s *session.Session) *cobra.Command {
	var reason string
	cmd := s.Command("disable SERVICE", "Keep an operation engine from taking new scheduled work", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return changeOne(ctx, s, args[0], func(c *client.Client, id int64) (client.Service, error) {
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

func changeOne(ctx context.Context, s *session.Session, ref string, change func(*client.Client, int64) (client.Service, error)) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(ref, 10, 64)
	if err != nil {
		if id, err = engineOn(ctx, c, ref); err != nil {
			return err
		}
	}
	found, err := change(c, id)
	if err != nil {
		return err
	}
	return s.Printer().Show(found)
}
