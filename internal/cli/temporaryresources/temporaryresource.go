// Package temporaryresources has the command temporaryresource.
package temporaryresources

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command temporaryresource.
func Command(s *session.Session) *cobra.Command {
	list := func(c *client.Client) session.Lister[client.TemporaryResource] { return c.TemporaryResources.List }
	filters := []session.Filter{
		{Flag: "operation", Member: "operation_id", Usage: "those of an operation, by id"},
		{Flag: "checkpoint", Member: "checkpoint_id", Usage: "those of the operations on a checkpoint, by id"},
		{Flag: "type", Usage: "snapshot, volume, image; in drills also server, network, subnet, port, router, security_group, floatingip"},
		{Flag: "status", Usage: "held (there now, or asked for) or released (gone)"},
	}
	return session.Group("temporaryresource", "Temporary resources: what operations hold of the project's quota in the cloud for a while",
		s.Help(session.List(s, "List temporary resources", list, filters, "type", "cloud_id", "size", "status", "resource", "operation_id", "held_since", "released_at"),
			session.Help{Example: `karbor temporaryresource list --status held`}),
		s.Help(usage(s), session.Help{Example: `karbor temporaryresource usage`}),
	)
}

func usage(s *session.Session) *cobra.Command {
	return s.Command("usage", "Sum up what operations hold now", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		u, err := c.TemporaryResources.Usage(ctx)
		if err != nil {
			return err
		}
		return s.Printer().Show(u)
	})
}
