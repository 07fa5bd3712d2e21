package quotas

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/session"
)

// ClassCommand makes the command quotaclass.
func ClassCommand(s *session.Session) *cobra.Command {
	return session.Group("quotaclass", "Quota classes: that named default has the defaults of all projects",
		s.Help(session.Show(s, "show CLASS", "Show a quota class", func(ctx context.Context, c *client.Client, name string) (client.QuotaClass, error) {
			return c.QuotaClasses.Show(ctx, name)
		}), session.Help{Example: `karbor quotaclass show default`}),
		s.Help(updateClass(s), session.Help{Example: `karbor quotaclass update default --checkpoints 100`}),
	)
}

func updateClass(s *session.Session) *cobra.Command {
	var f limitFlags
	cmd := s.Command("update CLASS", "Change a quota class (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			q, err := c.QuotaClasses.Update(ctx, args[0], change)
			if err != nil {
				return err
			}
			return s.Printer().Show(q)
		})
	f.add(cmd.Flags())
	return cmd
}
