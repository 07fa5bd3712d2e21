package operation

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Cancel makes the command that cancels what works on things of a kind.
func Cancel(s *session.Session, noun string) *cobra.Command {
	var reason string
	cmd := s.Command("cancel "+strings.ToUpper(noun)+"...", "Cancel what works on a "+noun, cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			for _, id := range args {
				if err := lookup.MustBeID(noun, id); err != nil {
					return err
				}
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			return session.All(args, func(id string) error {
				_, err := c.Operations.Cancel(ctx, id, reason)
				return err
			})
		})
	cmd.Long = "Cancels the operation that works on the " + noun + ": it stops, removes what it made, and ends in error.\n" +
		"The command does not wait for that; show --wait does. One that is over can't be cancelled."
	cmd.Flags().StringVar(&reason, "reason", "", "why; the reason of the end tells it")
	return cmd
}
