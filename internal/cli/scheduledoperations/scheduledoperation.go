// Package scheduledoperations has the command scheduledoperation.
package scheduledoperations

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command scheduledoperation.
func Command(s *session.Session) *cobra.Command {
	return session.Group("scheduledoperation", "Scheduled operations: what runs by itself when a trigger fires",
		s.Help(create(s), session.Help{Example: `karbor scheduledoperation create shop-nightly retention_protect nightly --plan shop --max-backups 7
karbor scheduledoperation create shop-nightly protect nightly plan_id=ID,provider_id=ID`, Places: session.At(nil, lookup.ScheduledTypes, lookup.TriggerNames)}),
		s.Help(list(s), session.Help{Example: `karbor scheduledoperation list --trigger nightly`}),
		s.Help(session.Show(s, "show SCHEDULEDOPERATION", "Show a scheduled operation", lookup.ScheduledOperation), session.Help{Example: `karbor scheduledoperation show shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(remove(s), session.Help{Example: `karbor scheduledoperation delete shop-nightly`, Places: session.At(lookup.ScheduledOperationNames), More: true}),
		s.Help(update(s), session.Help{Example: `karbor scheduledoperation update shop-nightly --trigger weekly
karbor scheduledoperation update shop-nightly --renew`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(enable(s, "enable", true), session.Help{Example: `karbor scheduledoperation enable shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(enable(s, "disable", false), session.Help{Example: `karbor scheduledoperation disable shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(pause(s), session.Help{Example: `karbor scheduledoperation pause shop-nightly --until 2026-12-31T22:00:00Z`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(resume(s), session.Help{Example: `karbor scheduledoperation resume shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(run(s), session.Help{Example: `karbor scheduledoperation run shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(skip(s), session.Help{Example: `karbor scheduledoperation skip shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
		s.Help(log(s), session.Help{Example: `karbor scheduledoperation log shop-nightly`, Places: session.At(lookup.ScheduledOperationNames)}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List scheduled operations",
		func(c *client.Client) session.Lister[client.ScheduledOperation] { return c.ScheduledOperations.List },
		[]session.Filter{
			{Flag: "name", Usage: "those with this in their name"},
			{Flag: "operation-type", Member: "operation_type", Usage: "protect, retention_protect, verify, copy or drill"},
			{Flag: "trigger", Member: "trigger_id", Usage: "those of a trigger, by name or id", ID: lookup.TriggerID},
			{Flag: "operation-definition", Member: "operation_definition", Usage: "those with these members (key=value,… or JSON), or this in them"},
		}, "id", "name", "operation_type", "trigger_id", "operation_definition", "state", "next_run_at")
}

func create(s *session.Session) *cobra.Command {
	var d definitionFlags
	var description, overlap string
	cmd := s.Command("create NAME TYPE TRIGGER [DEFINITION]", "Create a scheduled operation; TYPE is protect, retention_protect, verify, copy or drill",
		cobra.RangeArgs(3, 4), func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			text := ""
			if len(args) == 4 {
				text = args[3]
			}
			definition, err := d.read(ctx, c, text)
			if err != nil {
				return err
			}
			trigger, err := lookup.Trigger(ctx, c, args[2])
			if err != nil {
				return err
			}
			o, err := c.ScheduledOperations.Create(ctx, client.ScheduledOperationRequest{Name: args[0], Description: description,
				OperationType: karbor.ScheduledOperationType(args[1]), TriggerID: trigger.ID, OperationDefinition: definition,
				Overlap: karbor.OverlapPolicy(overlap)})
			if err != nil {
				return err
			}
			return s.Printer().Show(o)
		})
	f := cmd.Flags()
	f.StringVar(&description, "description", "", "description")
	f.StringVar(&overlap, "overlap", "", "what becomes of a run while an earlier one goes on: skip (it is left out) or queue (one waits)")
	d.add(s, cmd)
	return session.Creating(cmd)
}

func remove(s *session.Session) *cobra.Command {
	return s.Each("delete SCHEDULEDOPERATION...", "Delete scheduled operations; their checkpoints stay", func(ctx context.Context, c *client.Client, ref string) error {
		o, err := lookup.ScheduledOperation(ctx, c, ref)
		if err != nil {
			return err
		}
		return c.ScheduledOperations.Delete(ctx, o.ID)
	})
}
