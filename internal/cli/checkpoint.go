package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
)

func (a *app) checkpoint() *cobra.Command {
	return groupOf("checkpoint", "Checkpoints: what was protected",
		a.checkpointCreate(), a.checkpointList(), a.checkpointShow(), a.checkpointDelete(), a.checkpointReset(),
		a.checkpointHold(), a.checkpointRelease(), a.checkpointExpire(), a.cancel("checkpoint", "CHECKPOINT"))
}

func (a *app) checkpointCreate() *cobra.Command {
	var w waitFlags
	var extra []string
	var expires string
	cmd := a.command("create [PROVIDER] PLAN", "Protect a plan now", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			at, err := expiry(expires)
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
			if len(args) == 2 {
				if provider, err = a.providerID(ctx, c, args[0]); err != nil {
					return err
				}
			}
			cp, err := c.Checkpoints.Create(ctx, provider, client.CheckpointRequest{PlanID: plan.ID, ExtraInfo: parsePairs(extra), ExpiresAt: at})
			if err != nil {
				return err
			}
			if w.wait {
				a.say("checkpoint %s", cp.ID)
				w.own = true
				if cp, err = a.awaitCheckpoint(ctx, c, w, provider, cp.ID); err != nil {
					return err
				}
			}
			return a.finishCheckpoint(cp, w.wait)
		})
	w.add(cmd.Flags())
	cmd.Flags().StringArrayVar(&extra, "extra-info", nil, "key=value to keep with the checkpoint (repeatable)")
	cmd.Flags().StringVar(&expires, "expires-at", "", "when it is deleted by itself (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	cmd.Flags().StringArrayVar(&extra, "extra_info", nil, "same as --extra-info")
	return creating(cmd)
}

// finishCheckpoint prints a checkpoint; one that was waited for and is not
// available makes an error.
func (a *app) finishCheckpoint(cp client.Checkpoint, waited bool) error {
	if err := a.printer().Show(withoutProgress(cp)); err != nil {
		return err
	}
	if waited && cp.Status != karbor.CheckpointAvailable {
		return failure("the checkpoint "+cp.ID, string(cp.Status), cp.Reasons, "karbor operationlog list --checkpoint "+cp.ID)
	}
	return nil
}

// withoutProgress leaves out the progress of an operation that is over.
func withoutProgress(cp client.Checkpoint) client.Checkpoint {
	if cp.Status == karbor.CheckpointAvailable {
		cp.Progress = nil
	}
	return cp
}

func (a *app) checkpointList() *cobra.Command {
	var l listFlags
	var plan, start, end, status, bank, copyOf string
	cmd := a.command("list PROVIDER", "List a provider's checkpoints", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
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
			all, err := collect(c.Checkpoints.List(ctx, provider, l.options(map[string]string{
				"plan_id": plan, "start_date": start, "end_date": end, "status": status, "bank": bank, "copy_of": copyOf})))
			if err != nil {
				return err
			}
			return output.List(a.printer(), all, "id", "project_id", "status", "protection_plan", "extra_info", "created_at")
		})
	l.add(cmd.Flags())
	for _, name := range []string{"plan", "plan_id"} {
		cmd.Flags().StringVar(&plan, name, "", "those of a plan")
	}
	for _, name := range []string{"start-date", "start_date"} {
		cmd.Flags().StringVar(&start, name, "", "those of this day (YYYY-MM-DD) and later")
	}
	for _, name := range []string{"end-date", "end_date"} {
		cmd.Flags().StringVar(&end, name, "", "those of this day (YYYY-MM-DD) and earlier")
	}
	cmd.Flags().StringVar(&bank, "bank", "", "those in a bank: main, or the name of a copy target")
	cmd.Flags().StringVar(&copyOf, "copy-of", "", "the copies of the checkpoint with this id")
	cmd.Flags().StringVar(&l.project, "project_id", "", "same as --project")
	cmd.Flags().StringVar(&status, "status", "", "protecting, available, error, deleting, deleted or error-deleting")
	a.flag(cmd, "plan", planNames)
	return cmd
}

func (a *app) checkpointShow() *cobra.Command {
	var w waitFlags
	var graph bool
	cmd := a.command("show [PROVIDER] CHECKPOINT", "Show a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := a.findCheckpoint(ctx, c, args)
			if err != nil {
				return err
			}
			if w.wait {
				if cp, err = a.awaitCheckpoint(ctx, c, w, provider, cp.ID); err != nil {
					return err
				}
			}
			if graph {
				return a.drawCheckpoint(cp)
			}
			return a.finishCheckpoint(cp, w.wait)
		})
	w.add(cmd.Flags())
	cmd.Flags().BoolVar(&graph, "graph", false, "draw its resource graph")
	return cmd
}

func (a *app) drawCheckpoint(cp client.Checkpoint) error {
	g, err := cp.Graph()
	if err != nil {
		return err
	}
	if g == nil {
		return karbor.Errorf(karbor.NotFound, "the checkpoint %s has no resource graph", cp.ID)
	}
	notes := map[string]string{}
	for _, p := range cp.Progress {
		note := string(p.State)
		if p.BytesTotal > 0 {
			note += ", " + progress.Size(p.BytesTotal)
		}
		notes[string(p.Type)+"#"+p.ID] = note
	}
	for key, f := range cp.Figures {
		key, _, _ = strings.Cut(key, "@") // the graph has each resource once
		if f.Stored != nil && notes[key] != "" {
			notes[key] += ", " + progress.Size(*f.Stored) + " stored"
		}
	}
	title := fmt.Sprintf("checkpoint %s of plan %s: %s", cp.ID, cp.ProtectionPlan.Name, cp.Status)
	return output.Tree(a.Stdout, title, g, func(r karbor.Resource) string { return notes[r.Key()] })
}

func (a *app) checkpointDelete() *cobra.Command {
	var w waitFlags
	var force bool
	var reason string
	cmd := a.command("delete PROVIDER CHECKPOINT...", "Delete checkpoints", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if force != (reason != "") {
				return usagef("--force and --reason go together")
			}
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
				faults = append(faults, a.deleteCheckpoint(ctx, c, w, provider, id, reason))
			}
			return errors.Join(faults...)
		})
	w.add(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "though it is the newest verified one of a resource; needs --reason")
	cmd.Flags().StringVar(&reason, "reason", "", "why it is deleted by force; the operation log keeps it")
	return cmd
}

// deleteCheckpoint deletes a checkpoint, by force if there is a reason for that.
func (a *app) deleteCheckpoint(ctx context.Context, c *client.Client, w waitFlags, provider, id, force string) error {
	var err error
	if force != "" {
		err = c.Checkpoints.ForceDelete(ctx, provider, id, force)
	} else {
		err = c.Checkpoints.Delete(ctx, provider, id)
	}
	if err != nil || !w.wait {
		return err
	}
	w.own = true
	cp, err := a.awaitCheckpoint(ctx, c, w, provider, id)
	switch {
	case karbor.KindOf(err) == karbor.NotFound:
		// It was gone before the first look.
		return nil
	case err != nil:
		return err
	case cp.Status != karbor.CheckpointDeleted:
		return failure("the checkpoint "+id, string(cp.Status), cp.Reasons, "karbor operationlog list --checkpoint "+id)
	}
	return nil
}

func (a *app) checkpointReset() *cobra.Command {
	var available bool
	cmd := a.command("reset-state PROVIDER CHECKPOINT...", "Set the state of checkpoints that nothing works on", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, err := a.providerID(ctx, c, args[0])
			if err != nil {
				return err
			}
			to := karbor.CheckpointError
			if available {
				to = karbor.CheckpointAvailable
			}
			var faults []error
			for _, id := range args[1:] {
				faults = append(faults, c.Checkpoints.ResetState(ctx, provider, id, to))
			}
			return errors.Join(faults...)
		})
	cmd.Flags().BoolVar(&available, "available", false, "to available; without it, to error")
	return cmd
}
