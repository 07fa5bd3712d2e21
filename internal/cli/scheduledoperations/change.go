package scheduledoperations

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// on makes a command that does something to one scheduled operation, and shows
// what that gives.
func on(s *session.Session, use, short string, do func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error)) *cobra.Command {
	return s.Command(use+" SCHEDULEDOPERATION", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		o, err := lookup.ScheduledOperation(ctx, c, args[0])
		if err != nil {
			return err
		}
		v, err := do(ctx, c, o)
		if err != nil {
			return err
		}
		return s.Printer().Show(v)
	})
}

func update(s *session.Session) *cobra.Command {
	var d definitionFlags
	var name, description, trigger, definition, overlap string
	renew := false
	var cmd *cobra.Command
	cmd = on(s, "update", "Change a scheduled operation; what is not given stays", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		change := client.ScheduledOperationChange{Overlap: karbor.OverlapPolicy(overlap), Renew: renew}
		f := cmd.Flags()
		if f.Changed("name") {
			change.Name = &name
		}
		if f.Changed("description") {
			change.Description = &description
		}
		if trigger != "" {
			found, err := lookup.Trigger(ctx, c, trigger)
			if err != nil {
				return nil, err
			}
			change.TriggerID = &found.ID
		}
		if definition != "" || d.given() {
			if d.plan == "" && definition == "" {
				d.plan, d.proof.provider = o.OperationDefinition.PlanID, o.OperationDefinition.ProviderID
			}
			read, err := d.read(ctx, c, definition)
			if err != nil {
				return nil, err
			}
			change.OperationDefinition = &read
		}
		if change == (client.ScheduledOperationChange{}) {
			return nil, exit.Usagef("nothing to change: see karbor scheduledoperation update --help")
		}
		return c.ScheduledOperations.Update(ctx, o.ID, change)
	})
	cmd.Long = "Changes a scheduled operation. Flags of the definition replace it as a whole, but for its plan.\n" +
		"With another trigger or definition, with --renew, and if it can't act as its user any more, it runs as you from then on."
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "new description")
	f.StringVar(&trigger, "trigger", "", "trigger, by name or id")
	f.StringVar(&definition, "definition", "", "definition: key=value,… or JSON")
	f.StringVar(&overlap, "overlap", "", "skip or queue: what becomes of a run while an earlier one goes on")
	f.BoolVar(&renew, "renew", false, "run it as you from now on")
	d.add(s, cmd)
	s.CompleteFlag(cmd, "trigger", lookup.TriggerNames)
	return cmd
}

func enable(s *session.Session, verb string, enabled bool) *cobra.Command {
	short := "Have a scheduled operation run again"
	if !enabled {
		short = "Have a scheduled operation not run any more"
	}
	return on(s, verb, short, func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.Update(ctx, o.ID, client.ScheduledOperationChange{Enabled: &enabled})
	})
}

func pause(s *session.Session) *cobra.Command {
	until := ""
	cmd := on(s, "pause", "Have a scheduled operation not run until a time", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		at, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return nil, exit.Usagef("--until: %q is not a time like 2026-12-31T22:00:00Z", until)
		}
		return c.ScheduledOperations.Pause(ctx, o.ID, at)
	})
	cmd.Flags().StringVar(&until, "until", "", "when it runs again, such as 2026-12-31T22:00:00Z")
	return cmd
}

func resume(s *session.Session) *cobra.Command {
	return on(s, "resume", "End the pause of a scheduled operation", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.Resume(ctx, o.ID)
	})
}

func run(s *session.Session) *cobra.Command {
	return on(s, "run", "Run a scheduled operation now", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.RunNow(ctx, o.ID)
	})
}

func skip(s *session.Session) *cobra.Command {
	return on(s, "skip", "Leave the next run of a scheduled operation out", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.SkipNext(ctx, o.ID)
	})
}

func log(s *session.Session) *cobra.Command {
	return s.Command("log SCHEDULEDOPERATION", "List the runs of a scheduled operation, the newest first", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			o, err := lookup.ScheduledOperation(ctx, c, args[0])
			if err != nil {
				return err
			}
			runs, err := c.ScheduledOperations.Runs(ctx, o.ID)
			if err != nil {
				return err
			}
			return output.List(s.Printer(), runs, "expected_at", "state", "started_at", "ended_at", "checkpoint_id", "reason")
		})
}
