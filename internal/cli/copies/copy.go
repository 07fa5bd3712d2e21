// Package copies has the command copy.
package copies

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/operation"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command copy.
func Command(s *session.Session) *cobra.Command {
	return session.Group("copy", "Copies: a plan's checkpoints in another bank",
		s.Help(create(s), session.Help{Example: `karbor copy create shop --wait`, Places: session.At(lookup.Either(lookup.PlanNames, lookup.ProviderNames), lookup.PlanNames)}),
		s.Help(list(s), session.Help{Example: `karbor copy list bank --plan shop`, Places: session.At(lookup.ProviderNames)}),
		s.Help(show(s), session.Help{Example: `karbor copy show bank 77a1c0de-5d4f-4e0f-8c2c-6a3c1d2e4f50`, Places: session.At(lookup.ProviderNames)}),
		s.Help(operation.Cancel(s, "copy"), session.Help{Example: `karbor copy cancel 7c5a4a6e-9c1e-4d5c-8a7f-2b1f0c9d8e71`}),
	)
}

func create(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var parameters argument.ParameterFlags
	var targets, checkpoints []string
	cmd := s.Command("create [PROVIDER] PLAN", "Copy the checkpoints of a plan that are not copied yet", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			given, err := parameters.Read()
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
			made, err := c.Copies.Create(ctx, provider, client.CopyRequest{PlanID: plan.ID, Parameters: given, Targets: targets, Checkpoints: checkpoints})
			if err != nil {
				return err
			}
			return kind(provider).Started(ctx, s, c, w, made)
		})
	f := cmd.Flags()
	w.Add(f)
	f.StringArrayVar(&targets, "target", nil, "name of a copy target of the provider (repeatable); all of them where none is given")
	f.StringArrayVar(&checkpoints, "checkpoint", nil, "id of a checkpoint to copy (repeatable); all that are not copied yet where none is given")
	parameters.Add(f)
	return session.Creating(cmd)
}

// kind are the operations that copy a provider's checkpoints.
func kind(provider string) *operation.Kind[client.Copy] {
	return &operation.Kind[client.Copy]{
		Noun: "copy",
		ID:   func(c client.Copy) string { return c.ID },
		Look: func(ctx context.Context, c *client.Client, id string, _ client.Copy) (client.Copy, error) {
			return c.Copies.Show(ctx, provider, id)
		},
		Standing: func(c client.Copy) operation.Standing {
			return operation.Standing{Over: c.Status == karbor.CopyFinished || c.Status == karbor.CopyError, Progress: bars(c)}
		},
		Fault: func(c client.Copy) error {
			if c.Status == karbor.CopyFinished {
				return nil
			}
			return operation.Failure("the copy "+c.ID, string(c.Status), nil, "karbor operationlog list --plan "+c.PlanID)
		},
	}
}

func list(s *session.Session) *cobra.Command {
	var l session.ListFlags
	var status, plan string
	cmd := s.Command("list PROVIDER", "List a provider's requests for copies", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
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
		all, err := session.Collect(c.Copies.List(ctx, provider, l.Options(map[string]string{"status": status, "plan_id": plan})))
		if err != nil {
			return err
		}
		return output.List(s.Printer(), all, "id", "project_id", "provider_id", "plan_id", "checkpoint_id", "status")
	})
	l.Add(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "", "wait_copying, copying, finished or error")
	cmd.Flags().StringVar(&plan, "plan", "", "those of a plan, by name or id")
	s.CompleteFlag(cmd, "plan", lookup.PlanNames)
	return cmd
}

func show(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	cmd := s.Command("show PROVIDER COPY", "Show a request for copies", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		if err := lookup.MustBeID("copy", args[1]); err != nil {
			return err
		}
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		provider, err := lookup.ProviderID(ctx, c, args[0])
		if err != nil {
			return err
		}
		found, err := c.Copies.Show(ctx, provider, args[1])
		if err != nil {
			return err
		}
		return kind(provider).Found(ctx, s, c, w, found)
	})
	w.Add(cmd.Flags())
	return cmd
}

// bars gives the progress of a copy as that of resources.
func bars(c client.Copy) []client.Progress {
	out := make([]client.Progress, len(c.Progress))
	for i, p := range c.Progress {
		out[i] = client.Progress{ID: p.CheckpointID + "@" + p.Bank, Name: "checkpoint " + p.CheckpointID + " to " + p.Bank, State: states[p.Status],
			BytesDone: p.BytesDone, BytesTotal: p.BytesTotal, Reason: p.Reason}
	}
	return out
}

// states are the states of copies as those of resources.
var states = map[karbor.CopyStatus]karbor.ResourceState{
	karbor.CopyWaiting: karbor.ResourcePending, karbor.CopyCopying: karbor.ResourceState(karbor.CopyCopying),
	karbor.CopyFinished: karbor.ResourceAvailable, karbor.CopyError: karbor.ResourceError,
}
