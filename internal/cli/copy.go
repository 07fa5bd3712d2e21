package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

// copies makes the command copy, whose name Go has taken.
func (a *app) copies() *cobra.Command {
	return groupOf("copy", "Copies: a plan's checkpoints in another bank", a.copyCreate(), a.copyList(), a.copyShow(), a.cancel("copy", "COPY"))
}

func (a *app) copyCreate() *cobra.Command {
	var w waitFlags
	var parameters, targets, checkpoints []string
	var document string
	cmd := a.command("create [PROVIDER] PLAN", "Copy the checkpoints of a plan that are not copied yet", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			given, err := parseParameters(parameters, document)
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			plan, err := a.findPlan(ctx, c, args[len(args)-1])
			if err != nil {
				return err
			}
			provider := plan.ProviderID
			if len(args) > 1 {
				if provider, err = a.providerID(ctx, c, args[0]); err != nil {
					return err
				}
			}
			made, err := c.Copies.Create(ctx, provider, client.CopyRequest{PlanID: plan.ID, Parameters: given, Targets: targets, Checkpoints: checkpoints})
			if err != nil {
				return err
			}
			if w.wait {
				a.say("copy %s", made.ID)
				if made, err = a.awaitCopy(ctx, c, w, provider, made.ID); err != nil {
					return err
				}
			}
			return a.finishCopy(made, w.wait)
		})
	f := cmd.Flags()
	w.add(f)
	f.StringArrayVar(&targets, "target", nil, "name of a copy target of the provider (repeatable); all of them where none is given")
	f.StringArrayVar(&checkpoints, "checkpoint", nil, "id of a checkpoint to copy (repeatable); all that are not copied yet where none is given")
	f.StringArrayVar(&parameters, "parameters", nil, "resource_type=TYPE[,resource_id=ID],key=value,… or JSON (repeatable)")
	f.StringArrayVar(&parameters, "parameter", nil, "same as --parameters")
	f.StringVar(&document, "parameters-json", "", "parameters as JSON")
	return creating(cmd)
}

// finishCopy prints a request; one that was waited for and failed makes an error.
func (a *app) finishCopy(c client.Copy, waited bool) error {
	if err := a.printer().Show(c); err != nil {
		return err
	}
	if waited && c.Status != karbor.CopyFinished {
		return failure("the copy "+c.ID, string(c.Status), nil, "karbor operationlog list --plan "+c.PlanID)
	}
	return nil
}

func (a *app) copyList() *cobra.Command {
	var l listFlags
	var status, plan string
	cmd := a.command("list PROVIDER", "List a provider's requests for copies", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		provider, err := a.providerID(ctx, c, args[0])
		if err != nil {
			return err
		}
		if plan != "" && !karbor.IsUUID(plan) {
			p, err := a.findPlan(ctx, c, plan)
			if err != nil {
				return err
			}
			plan = p.ID
		}
		all, err := collect(c.Copies.List(ctx, provider, l.options(map[string]string{"status": status, "plan_id": plan})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "project_id", "provider_id", "plan_id", "checkpoint_id", "status")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "", "wait_copying, copying, finished or error")
	cmd.Flags().StringVar(&plan, "plan", "", "those of a plan, by name or id")
	a.flag(cmd, "plan", planNames)
	return cmd
}

func (a *app) copyShow() *cobra.Command {
	var w waitFlags
	cmd := a.command("show PROVIDER COPY", "Show a request for copies", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		if err := mustBeID("copy", args[1]); err != nil {
			return err
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		provider, err := a.providerID(ctx, c, args[0])
		if err != nil {
			return err
		}
		found, err := c.Copies.Show(ctx, provider, args[1])
		if err == nil && w.wait {
			found, err = a.awaitCopy(ctx, c, w, provider, found.ID)
		}
		if err != nil {
			return err
		}
		return a.finishCopy(found, w.wait)
	})
	w.add(cmd.Flags())
	return cmd
}
