package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) operationLog() *cobra.Command {
	return groupOf("operationlog", "Operation logs: what was done, and how it ended",
		a.operationLogList(), a.operationLogShow())
}

func (a *app) operationLogList() *cobra.Command {
	var l listFlags
	var status, plan, checkpoint, restore string
	cmd := a.command("list", "List operation logs", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		if plan != "" && !karbor.IsUUID(plan) {
			found, err := a.findPlan(ctx, c, plan)
			if err != nil {
				return err
			}
			plan = found.ID
		}
		all, err := collect(c.OperationLogs.List(ctx, l.options(map[string]string{
			"status": status, "plan_id": plan, "checkpoint_id": checkpoint, "restore_id": restore})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "operation_type", "checkpoint_id", "plan_id", "provider_id",
			"restore_id", "scheduled_operation_id", "status", "started_at", "ended_at", "error_info", "extra_info")
	})
	l.add(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "those with this status")
	f.StringVar(&plan, "plan", "", "those of a plan, by name or id")
	f.StringVar(&checkpoint, "checkpoint", "", "those of a checkpoint, by id")
	f.StringVar(&restore, "restore", "", "those of a restore, by id")
	a.flag(cmd, "plan", planNames)
	a.flag(cmd, "restore", restoreIDs)
	a.flag(cmd, "checkpoint", func(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
		return a.checkpointIDs(ctx, c, nil)
	})
	return cmd
}

func (a *app) operationLogShow() *cobra.Command {
	return a.command("show OPERATIONLOG", "Show an operation log", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := mustBeID("operation log", args[0]); err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			log, err := c.OperationLogs.Show(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printer().Show(log)
		})
}
