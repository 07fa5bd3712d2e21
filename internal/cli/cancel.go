package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// cancel makes the command that cancels what works on things of a kind.
func (a *app) cancel(noun, argument string) *cobra.Command {
	var reason string
	cmd := a.command("cancel "+argument+"...", "Cancel what works on a "+noun, cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			for _, id := range args {
				if err := mustBeID(noun, id); err != nil {
					return err
				}
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			var faults []error
			for _, id := range args {
				_, err := c.Operations.Cancel(ctx, id, reason)
				faults = append(faults, err)
			}
			return errors.Join(faults...)
		})
	cmd.Long = "Cancels the operation that works on the " + noun + ": it stops, removes what it made, and ends in error.\n" +
		"The command does not wait for that; show --wait does. One that is over can't be cancelled."
	cmd.Flags().StringVar(&reason, "reason", "", "why; the reason of the end tells it")
	return cmd
}
