package cli

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) scheduledOperation() *cobra.Command {
	return groupOf("scheduledoperation", "Scheduled operations: what runs by itself when a trigger fires",
		a.scheduledOperationCreate(), a.scheduledOperationList(), a.scheduledOperationShow(), a.scheduledOperationDelete(),
		a.scheduledOperationUpdate(), a.scheduledOperationSwitch("enable", true), a.scheduledOperationSwitch("disable", false),
		a.scheduledOperationPause(), a.scheduledOperationResume(), a.scheduledOperationRun(), a.scheduledOperationSkip(), a.scheduledOperationLog())
}

// definitionFlags are the members of an operation definition, one by one.
type definitionFlags struct {
	plan                string
	maxBackups, keepFor int
	keep                keepFlags
	proof               proofFlags
}

// add adds the flags.
func (d *definitionFlags) add(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.plan, "plan", "", "plan, by name or id")
	f.IntVar(&d.maxBackups, "max-backups", 0, "retention_protect: how many checkpoints to keep")
	f.IntVar(&d.keepFor, "retention-duration", 0, "retention_protect: for how many days to keep checkpoints")
	d.keep.add(f, "retention_protect: ")
	d.proof.add(f)
	a.flag(cmd, "plan", planNames)
	a.flag(cmd, "provider", providerNames)
}

// read gives the definition of the flags over that of the text key=value,…. The
// provider that is not there is the plan's.
func (d *definitionFlags) read(ctx context.Context, a *app, c *client.Client, text string) (karbor.OperationDefinition, error) {
	var out karbor.OperationDefinition
	members := map[string]string{}
	var err error
	if text != "" {
		if members, err = parseMembers(text, append(keepMembers(), "plan_id", "provider_id", "max_backups", "retention_duration", "order", "share", "checkpoints", "depth")...); err != nil {
			return out, err
		}
	}
	if d.maxBackups != 0 {
		members["max_backups"] = strconv.Itoa(d.maxBackups)
	}
	if d.keepFor != 0 {
		members["retention_duration"] = strconv.Itoa(d.keepFor)
	}
	d.keep.read(members)
	ref := d.plan
	if ref == "" {
		ref = members["plan_id"]
	}
	d.proof.read(members)
	switch {
	case ref == "" && d.proof.provider == "":
		return out, usagef("a scheduled operation needs a plan: --plan (a verify and a drill may have --provider instead)")
	case ref == "":
		provider, err := a.findProvider(ctx, c, d.proof.provider)
		if err != nil {
			return out, err
		}
		members["provider_id"] = provider.ID
	case d.plan != "" || members["provider_id"] == "":
		plan, err := a.findPlan(ctx, c, ref)
		if err != nil {
			return out, err
		}
		members["plan_id"], members["provider_id"] = plan.ID, plan.ProviderID
	}
	document, err := json.Marshal(members)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(document, &out); err != nil {
		return out, usageError{err}
	}
	return out, d.proof.lists(&out)
}

func (a *app) scheduledOperationCreate() *cobra.Command {
	var d definitionFlags
	var description, overlap string
	cmd := a.command("create NAME TYPE TRIGGER [DEFINITION]", "Create a scheduled operation; TYPE is protect, retention_protect, verify, copy or drill",
		cobra.RangeArgs(3, 4), func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			text := ""
			if len(args) == 4 {
				text = args[3]
			}
			definition, err := d.read(ctx, a, c, text)
			if err != nil {
				return err
			}
			trigger, err := a.findTrigger(ctx, c, args[2])
			if err != nil {
				return err
			}
			o, err := c.ScheduledOperations.Create(ctx, client.ScheduledOperationRequest{Name: args[0], Description: description,
				OperationType: karbor.ScheduledOperationType(args[1]), TriggerID: trigger.ID, OperationDefinition: definition,
				Overlap: karbor.OverlapPolicy(overlap)})
			if err != nil {
				return err
			}
			return a.printer().Show(o)
		})
	f := cmd.Flags()
	f.StringVar(&description, "description", "", "description")
	f.StringVar(&overlap, "overlap", "", "what becomes of a run while an earlier one goes on: skip (it is left out) or queue (one waits)")
	d.add(a, cmd)
	return creating(cmd)
}

func (a *app) scheduledOperationList() *cobra.Command {
	var l listFlags
	var name, kind, trigger, definition string
	cmd := a.command("list", "List scheduled operations", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		if trigger != "" {
			found, err := a.findTrigger(ctx, c, trigger)
			if err != nil {
				return err
			}
			trigger = found.ID
		}
		all, err := collect(c.ScheduledOperations.List(ctx, l.options(map[string]string{
			"name": name, "operation_type": kind, "trigger_id": trigger, "operation_definition": definition})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "name", "operation_type", "trigger_id", "operation_definition", "state", "next_run_at")
	})
	l.add(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "those with this in their name")
	f.StringVar(&kind, "operation-type", "", "protect, retention_protect, verify, copy or drill")
	f.StringVar(&trigger, "trigger", "", "those of a trigger, by name or id")
	f.StringVar(&definition, "operation-definition", "", "those with these members (key=value,… or JSON), or this in them")
	return cmd
}

func (a *app) scheduledOperationShow() *cobra.Command {
	return a.command("show SCHEDULEDOPERATION", "Show a scheduled operation", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			o, err := a.findScheduledOperation(ctx, c, args[0])
			if err != nil {
				return err
			}
			return a.printer().Show(o)
		})
}

func (a *app) scheduledOperationDelete() *cobra.Command {
	return a.command("delete SCHEDULEDOPERATION...", "Delete scheduled operations; their checkpoints stay", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			var faults []error
			for _, ref := range args {
				o, err := a.findScheduledOperation(ctx, c, ref)
				if err == nil {
					err = c.ScheduledOperations.Delete(ctx, o.ID)
				}
				if err != nil {
					faults = append(faults, err)
				}
			}
			return errors.Join(faults...)
		})
}

func (a *app) findScheduledOperation(ctx context.Context, c *client.Client, ref string) (client.ScheduledOperation, error) {
	return byIDOrName(ref,
		func() (client.ScheduledOperation, error) { return c.ScheduledOperations.Show(ctx, ref) },
		func() (client.ScheduledOperation, error) {
			list := func(o client.ListOptions) iter.Seq2[client.ScheduledOperation, error] {
				return c.ScheduledOperations.List(ctx, o)
			}
			return named("scheduled operation", ref, list, func(o client.ScheduledOperation) (string, string) { return o.ID, o.Name })
		})
}
