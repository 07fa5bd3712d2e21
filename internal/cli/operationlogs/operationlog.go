// Package operationlogs has the command operationlog.
package operationlogs

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command operationlog.
func Command(s *session.Session) *cobra.Command {
	return session.Group("operationlog", "Operation logs: what was done, and how it ended",
		s.Help(list(s), session.Help{Example: `karbor operationlog list --plan shop --status error`}),
		s.Help(show(s), session.Help{Example: `karbor operationlog show 5f0c9a1e-5d4f-4e0f-8c2c-6a3c1d2e4f50`}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List operation logs",
		func(c *client.Client) session.Lister[client.OperationLog] { return c.OperationLogs.List },
		[]session.Filter{
			{Flag: "status", Usage: "those with this status"},
			{Flag: "plan", Member: "plan_id", Usage: "those of a plan, by name or id", ID: lookup.PlanID, Values: lookup.PlanNames},
			{Flag: "checkpoint", Member: "checkpoint_id", Usage: "those of a checkpoint, by id", Values: lookup.CheckpointIDs},
			{Flag: "restore", Member: "restore_id", Usage: "those of a restore, by id", Values: lookup.RestoreIDs},
		}, "id", "operation_type", "checkpoint_id", "plan_id", "provider_id", "restore_id", "scheduled_operation_id", "status", "started_at", "ended_at", "error_info", "extra_info")
}

func show(s *session.Session) *cobra.Command {
	return s.Command("show OPERATIONLOG", "Show an operation log", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := lookup.MustBeID("operation log", args[0]); err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			log, err := c.OperationLogs.Show(ctx, args[0])
			if err != nil {
				return err
			}
			return s.Printer().Show(log)
		})
}
