package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

// onScheduled makes a command that does something to one scheduled operation, and shows
// what that gives.
func (a *app) onScheduled(use, short string, do func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error)) *cobra.Command {
	return a.command(use+" SCHEDULEDOPERATION", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		o, err := a.findScheduledOperation(ctx, c, args[0])
		if err != nil {
			return err
		}
		v, err := do(ctx, c, o)
		if err != nil {
			return err
		}
		return a.printer().Show(v)
	})
}

func (a *app) scheduledOperationUpdate() *cobra.Command {
	var d definitionFlags
	var name, description, trigger, definition, overlap string
	renew := false
	var cmd *cobra.Command
	cmd = a.onScheduled("update", "Change a scheduled operation; what is not given stays", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		change := client.ScheduledOperationChange{Overlap: karbor.OverlapPolicy(overlap), Renew: renew}
		f := cmd.Flags()
		if f.Changed("name") {
			change.Name = &name
		}
		if f.Changed("description") {
			change.Description = &description
		}
		if trigger != "" {
			found, err := a.findTrigger(ctx, c, trigger)
			if err != nil {
				return nil, err
			}
			change.TriggerID = &found.ID
		}
		if definition != "" || d.given() {
			if d.plan == "" && definition == "" {
				d.plan, d.proof.provider = o.OperationDefinition.PlanID, o.OperationDefinition.ProviderID
			}
			read, err := d.read(ctx, a, c, definition)
			if err != nil {
				return nil, err
			}
			change.OperationDefinition = &read
		}
		if change == (client.ScheduledOperationChange{}) {
			return nil, usagef("nothing to change: see karbor scheduledoperation update --help")
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
	d.add(a, cmd)
	a.flag(cmd, "trigger", triggerNames)
	return cmd
}

// given reports whether a flag of the definition is set.
func (d *definitionFlags) given() bool {
	members := map[string]string{}
	d.keep.read(members)
	d.proof.read(members)
	return d.plan != "" || d.maxBackups != 0 || d.keepFor != 0 || len(members) > 0 || d.proof.given()
}

func (a *app) scheduledOperationSwitch(verb string, on bool) *cobra.Command {
	short := "Have a scheduled operation run again"
	if !on {
		short = "Have a scheduled operation not run any more"
	}
	return a.onScheduled(verb, short, func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.Update(ctx, o.ID, client.ScheduledOperationChange{Enabled: &on})
	})
}

func (a *app) scheduledOperationPause() *cobra.Command {
	until := ""
	cmd := a.onScheduled("pause", "Have a scheduled operation not run until a time", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		at, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return nil, usagef("--until: %q is not a time like 2026-12-31T22:00:00Z", until)
		}
		return c.ScheduledOperations.Pause(ctx, o.ID, at)
	})
	cmd.Flags().StringVar(&until, "until", "", "when it runs again, such as 2026-12-31T22:00:00Z")
	return cmd
}

func (a *app) scheduledOperationResume() *cobra.Command {
	return a.onScheduled("resume", "End the pause of a scheduled operation", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.Resume(ctx, o.ID)
	})
}

func (a *app) scheduledOperationRun() *cobra.Command {
	return a.onScheduled("run", "Run a scheduled operation now", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.RunNow(ctx, o.ID)
	})
}

func (a *app) scheduledOperationSkip() *cobra.Command {
	return a.onScheduled("skip", "Leave the next run of a scheduled operation out", func(ctx context.Context, c *client.Client, o client.ScheduledOperation) (any, error) {
		return c.ScheduledOperations.SkipNext(ctx, o.ID)
	})
}

func (a *app) scheduledOperationLog() *cobra.Command {
	return a.command("log SCHEDULEDOPERATION", "List the runs of a scheduled operation, the newest first", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			o, err := a.findScheduledOperation(ctx, c, args[0])
			if err != nil {
				return err
			}
			runs, err := c.ScheduledOperations.Runs(ctx, o.ID)
			if err != nil {
				return err
			}
			return output.List(a.printer(), runs, "expected_at", "state", "started_at", "ended_at", "checkpoint_id", "reason")
		})
}
