// Package drills has the command drill.
package drills

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/choice"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/operation"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command drill.
func Command(s *session.Session) *cobra.Command {
	return session.Group("drill", "Restore drills: does a checkpoint restore, and how long does it take",
		s.Help(create(s), session.Help{Example: `karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --wait
karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --probe active --probe console=ready --probe port=22,timeout=120 --wait
karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --map flavor:*=m1.small`}),
		s.Help(list(s), session.Help{Example: `karbor drill list --verdict failed`}),
		s.Help(kind.Show(s), session.Help{Example: `karbor drill show 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --wait`}),
		s.Help(operation.Cancel(s, "drill"), session.Help{Example: `karbor drill cancel 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --reason "wrong checkpoint"`}),
		s.Help(remove(s), session.Help{Example: `karbor drill delete 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11`}),
		s.Help(evidenceOf(s), session.Help{Example: `karbor drill evidence 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --output drill.json
karbor drill evidence 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --html drill.html`}),
		s.Help(keys(s), session.Help{Example: `karbor drill keys > karbor-drills.pem`}),
		s.Help(verify(s), session.Help{Example: `karbor drill verify drill.json --key karbor-drills.pem`}),
	)
}

// kind are the drills.
var kind = &operation.Kind[client.Drill]{
	Noun: "drill",
	ID:   func(r client.Drill) string { return r.ID },
	Look: func(ctx context.Context, c *client.Client, id string, _ client.Drill) (client.Drill, error) {
		return c.Drills.Show(ctx, id)
	},
	Standing: func(r client.Drill) operation.Standing {
		return operation.Standing{Over: r.Status != karbor.DrillRunning, Progress: r.Progress}
	},
	Shown: func(r client.Drill) client.Drill {
		if r.Status != karbor.DrillRunning {
			r.Progress = nil
		}
		return r
	},
	Fault: func(r client.Drill) error {
		if r.Verdict == karbor.DrillPassed {
			return nil
		}
		return operation.Failure("the drill "+r.ID, string(r.Verdict), map[string]string{"drill": r.Reason}, "karbor drill evidence "+r.ID)
	},
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List drills",
		func(c *client.Client) session.Lister[client.Drill] { return c.Drills.List },
		[]session.Filter{
			{Flag: "status", Usage: "running, finished or error"},
			{Flag: "verdict", Usage: "passed, failed or inconclusive"},
			{Flag: "checkpoint", Member: "checkpoint_id", Usage: "those of a checkpoint, by id"},
			{Flag: "plan", Member: "plan_id", Usage: "those of a plan's checkpoints, by the plan's id"},
		}, "id", "checkpoint_id", "status", "verdict", "recovery_ms", "created_at", "reason")
}

func create(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var q choice.Flags
	var probes []string
	cmd := s.Command("create [PROVIDER] CHECKPOINT", "Restore a checkpoint for a while, look, and remove everything", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			r := client.DrillRequest{}
			var err error
			if r.Probes, err = argument.Probes(probes); err != nil {
				return err
			}
			if r.Mapping, err = q.Mapped(); err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := lookup.Usable(ctx, c, args)
			if err != nil {
				return err
			}
			var chosen client.RestoreRequest
			if err := q.Of(&chosen, provider, cp); err != nil {
				return err
			}
			r.ProviderID, r.CheckpointID, r.Resources = provider, cp.ID, chosen.Choices.Resources
			d, err := c.Drills.Create(ctx, r)
			if err != nil {
				return err
			}
			return kind.Started(ctx, s, c, w, d)
		})
	cmd.Long = "Restores a checkpoint into networks of the drill's own, looks at what came of it, measures the time, and removes\n" +
		"everything again. The original is not touched. The drill leaves a signed record: see evidence.\n\n" +
		"Probes: active; console[=PATTERN][,timeout=SECONDS]; volume[,digest=false]; port=NUMBER[,timeout=SECONDS];\n" +
		"command[,timeout=SECONDS]. Without any: active, console and volume."
	f := cmd.Flags()
	w.Add(f)
	f.StringArrayVar(&probes, "probe", nil, "a probe to make (repeatable)")
	q.AddDrill(f)
	return session.Creating(cmd)
}

func remove(s *session.Session) *cobra.Command {
	return s.Each("delete DRILL...", "Delete drills that are over, with their records", func(ctx context.Context, c *client.Client, id string) error {
		if err := lookup.MustBeID("drill", id); err != nil {
			return err
		}
		return c.Drills.Delete(ctx, id)
	})
}
