package checkpoints

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// each does something with each checkpoint of PROVIDER CHECKPOINT....
func each(ctx context.Context, s *session.Session, args []string, do func(c *client.Client, provider, id string) error) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	provider, err := lookup.ProviderID(ctx, c, args[0])
	if err != nil {
		return err
	}
	return session.All(args[1:], func(id string) error { return do(c, provider, id) })
}

// eachID is each of what must be ids.
func eachID(ctx context.Context, s *session.Session, args []string, do func(c *client.Client, provider, id string) error) error {
	return each(ctx, s, args, func(c *client.Client, provider, id string) error {
		if err := lookup.MustBeID("checkpoint", id); err != nil {
			return err
		}
		return do(c, provider, id)
	})
}

func hold(s *session.Session) *cobra.Command {
	var reason, until string
	cmd := s.Command("hold PROVIDER CHECKPOINT...", "Keep checkpoints from being deleted", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if reason == "" {
				return exit.Usagef("a checkpoint is held for a reason: --reason")
			}
			var end time.Time
			if until != "" {
				var err error
				if end, err = argument.Moment("--until", until); err != nil {
					return err
				}
			}
			return eachID(ctx, s, args, func(c *client.Client, provider, id string) error {
				_, err := c.Checkpoints.Hold(ctx, provider, id, reason, end)
				return err
			})
		})
	cmd.Long = "Nothing deletes a held checkpoint, whoever asks, until --until or, without it, until it is released."
	cmd.Flags().StringVar(&reason, "reason", "", "why; needed")
	cmd.Flags().StringVar(&until, "until", "", "the end (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	return cmd
}

func release(s *session.Session) *cobra.Command {
	return s.Command("release PROVIDER CHECKPOINT...", "Release held checkpoints", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			return eachID(ctx, s, args, func(c *client.Client, provider, id string) error { return c.Checkpoints.Release(ctx, provider, id) })
		})
}

func expire(s *session.Session) *cobra.Command {
	var at string
	var never bool
	cmd := s.Command("expire PROVIDER CHECKPOINT...", "Set when checkpoints are deleted by themselves", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if never == (at != "") {
				return exit.Usagef("say either --at or --never")
			}
			var end time.Time
			if at != "" {
				var err error
				if end, err = argument.Moment("--at", at); err != nil {
					return err
				}
			}
			return eachID(ctx, s, args, func(c *client.Client, provider, id string) error { return c.Checkpoints.Expire(ctx, provider, id, end) })
		})
	cmd.Long = "At that time a checkpoint is deleted as soon as nothing speaks against it. The rules of its schedule leave it alone.\n" +
		"To delete it now, use: karbor checkpoint delete"
	cmd.Flags().StringVar(&at, "at", "", "the time (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	cmd.Flags().BoolVar(&never, "never", false, "take the date away")
	return cmd
}
