// Package checkpoints has the command checkpoint.
package checkpoints

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/operation"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command checkpoint.
func Command(s *session.Session) *cobra.Command {
	return session.Group("checkpoint", "Checkpoints: what was protected",
		s.Help(create(s), session.Help{Example: `karbor checkpoint create shop --wait
CHECKPOINT=$(karbor checkpoint create shop --wait -f value -c id)`, Places: session.At(lookup.Either(lookup.PlanNames, lookup.ProviderNames), lookup.PlanNames)}),
		s.Help(list(s), session.Help{Example: `karbor checkpoint list bank --plan shop --status available --start-date 2026-11-01`, Places: session.At(lookup.ProviderNames)}),
		s.Help(show(s), session.Help{Example: `karbor checkpoint show c99ad067-e5e2-4770-8547-78fd54139b50 --graph`, Places: session.At(lookup.Either(lookup.CheckpointIDs, lookup.ProviderNames), lookup.CheckpointIDs)}),
		s.Help(remove(s), session.Help{Example: `karbor checkpoint delete bank c99ad067-e5e2-4770-8547-78fd54139b50 --wait`, Places: session.At(lookup.ProviderNames, lookup.CheckpointIDs), More: true}),
		s.Help(reset(s), session.Help{Example: `karbor checkpoint reset-state bank c99ad067-e5e2-4770-8547-78fd54139b50 --available`, Places: session.At(lookup.ProviderNames, lookup.CheckpointIDs), More: true}),
		s.Help(hold(s), session.Help{Example: `karbor checkpoint hold bank c99ad067-e5e2-4770-8547-78fd54139b50 --reason 'audit of 2026' --until 2027-04-01`}),
		s.Help(release(s), session.Help{Example: `karbor checkpoint release bank c99ad067-e5e2-4770-8547-78fd54139b50`}),
		s.Help(expire(s), session.Help{Example: `karbor checkpoint expire bank c99ad067-e5e2-4770-8547-78fd54139b50 --at 2027-01-01`}),
		s.Help(operation.Cancel(s, "checkpoint"), session.Help{Example: `karbor checkpoint cancel c99ad067-e5e2-4770-8547-78fd54139b50 --reason 'the wrong plan'`}),
	)
}

func create(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var extra []string
	var expires string
	cmd := s.Command("create [PROVIDER] PLAN", "Protect a plan now", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			at, err := argument.Expiry(expires)
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			provider, plan, err := lookup.Planned(ctx, c, args)
			if err != nil {
				return err
			}
			cp, err := c.Checkpoints.Create(ctx, provider, client.CheckpointRequest{PlanID: plan.ID, ExtraInfo: argument.Pairs(extra), ExpiresAt: at})
			if err != nil {
				return err
			}
			return kind(provider).Started(ctx, s, c, w, cp)
		})
	w.Add(cmd.Flags())
	cmd.Flags().StringArrayVar(&extra, "extra-info", nil, "key=value to keep with the checkpoint (repeatable)")
	cmd.Flags().StringVar(&expires, "expires-at", "", "when it is deleted by itself (YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")
	cmd.Flags().StringArrayVar(&extra, "extra_info", nil, "same as --extra-info")
	return session.Creating(cmd)
}

// kind are the operations that make and delete checkpoints of a provider. A checkpoint that
// has gone while it was deleted is no error.
func kind(provider string) *operation.Kind[client.Checkpoint] {
	return &operation.Kind[client.Checkpoint]{
		Noun: "checkpoint",
		ID:   func(cp client.Checkpoint) string { return cp.ID },
		Look: func(ctx context.Context, c *client.Client, id string, last client.Checkpoint) (client.Checkpoint, error) {
			cp, err := c.Checkpoints.Show(ctx, provider, id)
			if karbor.KindOf(err) == karbor.NotFound && last.Status == karbor.CheckpointDeleting {
				last.Status = karbor.CheckpointDeleted
				return last, nil
			}
			return cp, err
		},
		Standing: func(cp client.Checkpoint) operation.Standing {
			running := cp.Status == karbor.CheckpointProtecting || cp.Status == karbor.CheckpointDeleting
			return operation.Standing{Over: !running, Progress: cp.Progress}
		},
		Shown: withoutProgress,
		Fault: func(cp client.Checkpoint) error {
			if cp.Status == karbor.CheckpointAvailable {
				return nil
			}
			return failed(cp)
		},
	}
}

// failed is the error of a checkpoint of which an operation has failed.
func failed(cp client.Checkpoint) error {
	return operation.Failure("the checkpoint "+cp.ID, string(cp.Status), cp.Reasons, "karbor operationlog list --checkpoint "+cp.ID)
}

// withoutProgress leaves out the progress of an operation that is over.
func withoutProgress(cp client.Checkpoint) client.Checkpoint {
	if cp.Status == karbor.CheckpointAvailable {
		cp.Progress = nil
	}
	return cp
}

func list(s *session.Session) *cobra.Command {
	var l session.ListFlags
	var plan, start, end, status, bank, copyOf string
	cmd := s.Command("list PROVIDER", "List a provider's checkpoints", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := l.Connect(ctx, s)
			if err != nil {
				return err
			}
			provider, err := lookup.ProviderID(ctx, c, args[0])
			if err != nil {
				return err
			}
			if plan != "" {
				if plan, err = lookup.PlanID(ctx, c, plan); err != nil {
					return err
				}
			}
			all, err := session.Collect(c.Checkpoints.List(ctx, provider, l.Options(map[string]string{
				"plan_id": plan, "start_date": start, "end_date": end, "status": status, "bank": bank, "copy_of": copyOf})))
			if err != nil {
				return err
			}
			return output.List(s.Printer(), all, "id", "project_id", "status", "protection_plan", "extra_info", "created_at")
		})
	l.Add(cmd.Flags())
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
	l.ProjectFlag(cmd.Flags(), "project_id")
	cmd.Flags().StringVar(&status, "status", "", "protecting, available, error, deleting, deleted or error-deleting")
	s.CompleteFlag(cmd, "plan", lookup.PlanNames)
	return cmd
}

func show(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var graph bool
	cmd := s.Command("show [PROVIDER] CHECKPOINT", "Show a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := lookup.Checkpoint(ctx, c, args)
			if err != nil {
				return err
			}
			k := kind(provider)
			if w.Wait {
				if cp, err = k.Await(ctx, s, c, w, cp); err != nil {
					return err
				}
			}
			if graph {
				return draw(s, cp)
			}
			return k.Finish(s, w, cp)
		})
	w.Add(cmd.Flags())
	cmd.Flags().BoolVar(&graph, "graph", false, "draw its resource graph")
	return cmd
}

func draw(s *session.Session, cp client.Checkpoint) error {
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
	return output.Tree(s.Stdout, title, g, func(r karbor.Resource) string { return notes[r.Key()] })
}

func remove(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var force bool
	var reason string
	cmd := s.Command("delete PROVIDER CHECKPOINT...", "Delete checkpoints", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			if force != (reason != "") {
				return exit.Usagef("--force and --reason go together")
			}
			return each(ctx, s, args, func(c *client.Client, provider, id string) error {
				return removeOne(ctx, s, c, w, provider, id, reason)
			})
		})
	w.Add(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "though it is the newest verified one of a resource; needs --reason")
	cmd.Flags().StringVar(&reason, "reason", "", "why it is deleted by force; the operation log keeps it")
	return cmd
}

// removeOne deletes a checkpoint, by force if there is a reason for that.
func removeOne(ctx context.Context, s *session.Session, c *client.Client, w operation.WaitFlags, provider, id, force string) error {
	var err error
	if force != "" {
		err = c.Checkpoints.ForceDelete(ctx, provider, id, force)
	} else {
		err = c.Checkpoints.Delete(ctx, provider, id)
	}
	if err != nil || !w.Wait {
		return err
	}
	w.Own = true
	cp, err := kind(provider).Await(ctx, s, c, w, client.Checkpoint{ID: id})
	switch {
	case karbor.KindOf(err) == karbor.NotFound:
		// It was gone before the first look.
		return nil
	case err != nil:
		return err
	case cp.Status != karbor.CheckpointDeleted:
		return failed(cp)
	}
	return nil
}

func reset(s *session.Session) *cobra.Command {
	var available bool
	cmd := s.Command("reset-state PROVIDER CHECKPOINT...", "Set the state of checkpoints that nothing works on", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error {
			to := karbor.CheckpointError
			if available {
				to = karbor.CheckpointAvailable
			}
			return each(ctx, s, args, func(c *client.Client, provider, id string) error {
				return c.Checkpoints.ResetState(ctx, provider, id, to)
			})
		})
	cmd.Flags().BoolVar(&available, "available", false, "to available; without it, to error")
	return cmd
}
