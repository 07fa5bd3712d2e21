package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
)

// moment reads a time of a command line: a day, which begins at midnight UTC, or a time
// with its offset.
func moment(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s: %q is no time of the form YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ", flag, text)
}

// expiry reads --expires-at; nil for none.
func expiry(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := moment("--expires-at", text)
	return &t, err
}

// each does something with each checkpoint of [PROVIDER] CHECKPOINT....
func (a *app) each(ctx context.Context, args []string, do func(c *client.Client, provider, id string) error) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	provider, err := a.providerID(ctx, c, args[0])
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range args[1:] {
		if err := mustBeID("checkpoint", id); err != nil {
			return err
		}
		faults = append(faults, do(c, provider, id))
	}
	return errors.Join(faults...)
}

func (a *app) checkpointHold() *cobra.Command {
	var reason, until string
	cmd := a.command("hold PROVIDER CHECKPOINT...", "Keep checkpoints from being deleted", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if reason == "" {
				return usagef("a checkpoint is held for a reason: --reason")
			}
			var end time.Time
			if until != "" {
				var err error
				if end, err = moment("--until", until); err != nil {
					return err
				}
			}
			return a.each(ctx, args, func(c *client.Client, provider, id string) error {
				_, err := c.Checkpoints.Hold(ctx, provider, id, reason, end)
				return err
			})
		})
	cmd.Long = "Nothing deletes a held checkpoint, whoever asks, until --until or, without it, until it is released."
	cmd.Flags().StringVar(&reason, "reason", "", "why; needed")
	cmd.Flags().StringVar(&until, "until", "", "the end (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	return cmd
}

func (a *app) checkpointRelease() *cobra.Command {
	return a.command("release PROVIDER CHECKPOINT...", "Release held checkpoints", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			return a.each(ctx, args, func(c *client.Client, provider, id string) error { return c.Checkpoints.Release(ctx, provider, id) })
		})
}

func (a *app) checkpointExpire() *cobra.Command {
	var at string
	var never bool
	cmd := a.command("expire PROVIDER CHECKPOINT...", "Set when checkpoints are deleted by themselves", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if never == (at != "") {
				return usagef("say either --at or --never")
			}
			var end time.Time
			if at != "" {
				var err error
				if end, err = moment("--at", at); err != nil {
					return err
				}
			}
			return a.each(ctx, args, func(c *client.Client, provider, id string) error { return c.Checkpoints.Expire(ctx, provider, id, end) })
		})
	cmd.Long = "At that time a checkpoint is deleted as soon as nothing speaks against it. The rules of its schedule leave it alone.\n" +
		"To delete it now, use: karbor checkpoint delete"
	cmd.Flags().StringVar(&at, "at", "", "the time (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	cmd.Flags().BoolVar(&never, "never", false, "take the date away")
	return cmd
}
