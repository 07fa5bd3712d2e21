// Package restores has the command restore.
package restores

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/choice"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/operation"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command restore.
func Command(s *session.Session) *cobra.Command {
	return session.Group("restore", "Restores: bring a checkpoint's resources back",
		s.Help(create(s), session.Help{Example: `karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --wait
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --parameters resource_type=server,restore_name=web-2
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --dependents existing --name-prefix drill- --floating-ips none
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --stage server:db --stage server:web,delay=30
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --restore-target https://other.example:5000/v3 --restore-username demo --restore-project-name demo`, Places: session.At(lookup.Either(lookup.CheckpointIDs, lookup.ProviderNames), lookup.CheckpointIDs)}),
		s.Help(undo(s), session.Help{Example: `karbor restore undo 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b --wait`}),
		s.Help(check(s), session.Help{Example: `karbor restore check c99ad067-e5e2-4770-8547-78fd54139b50
karbor restore check c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --map network:*=5c2c6a3c-1d2e-4f50-8c2c-6a3c1d2e4f50`, Places: session.At(lookup.Either(lookup.CheckpointIDs, lookup.ProviderNames), lookup.CheckpointIDs)}),
		s.Help(list(s), session.Help{Example: `karbor restore list --status fail`}),
		s.Help(kind.Show(s), session.Help{Example: `karbor restore show 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b --wait`, Places: session.At(lookup.RestoreIDs)}),
		s.Help(operation.Cancel(s, "restore"), session.Help{Example: `karbor restore cancel 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b`, Places: session.At(lookup.RestoreIDs)}),
	)
}

// kind are the restores.
var kind = &operation.Kind[client.Restore]{
	Noun: "restore",
	ID:   func(r client.Restore) string { return r.ID },
	Look: func(ctx context.Context, c *client.Client, id string, _ client.Restore) (client.Restore, error) {
		return c.Restores.Show(ctx, id)
	},
	Standing: func(r client.Restore) operation.Standing {
		return operation.Standing{Over: r.Status != karbor.RestoreInProgress, Progress: r.Progress}
	},
	Shown: func(r client.Restore) client.Restore {
		if r.Status == karbor.RestoreSuccess {
			r.Progress = nil
		}
		return r
	},
	Fault: func(r client.Restore) error {
		if r.Status == karbor.RestoreSuccess {
			return nil
		}
		return operation.Failure("the restore "+r.ID, string(r.Status), r.ResourcesReason, "karbor operationlog list --restore "+r.ID)
	},
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List restores",
		func(c *client.Client) session.Lister[client.Restore] { return c.Restores.List },
		[]session.Filter{
			{Flag: "status", Usage: "in_progress, success or fail"},
		}, "id", "project_id", "provider_id", "checkpoint_id", "restore_target", "parameters", "status")
}

func create(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var q choice.Flags
	var keep bool
	cmd := s.Command("create [PROVIDER] CHECKPOINT", "Restore a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			wanted, err := q.Request(s.Env)
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			if err := q.Whole(ctx, c, &wanted, args); err != nil {
				return err
			}
			wanted.KeepOnFailure = keep
			r, err := c.Restores.Create(ctx, wanted)
			if err != nil {
				return err
			}
			return kind.Started(ctx, s, c, w, r)
		})
	f := cmd.Flags()
	w.Add(f)
	q.Add(f)
	f.BoolVar(&keep, "keep-on-failure", false, "if the restore fails, keep the resources that are restored")
	return session.Creating(cmd)
}

// undo restores the safety checkpoint of a restore in place, in place.
func undo(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	cmd := s.Command("undo RESTORE", "Undo a restore in place: overwrite the originals with what they held before", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := lookup.MustBeID("restore", args[0]); err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			undone, err := c.Restores.Show(ctx, args[0])
			if err != nil {
				return err
			}
			if !undone.InPlace || undone.SafetyCheckpointID == "" {
				return karbor.Errorf(karbor.Conflict, "the restore %s was not in place: it made new resources, which can be deleted", undone.ID)
			}
			r, err := c.Restores.Create(ctx, client.RestoreRequest{
				ProviderID: undone.ProviderID, CheckpointID: undone.SafetyCheckpointID, Choices: karbor.RestoreChoices{InPlace: true},
			})
			if err != nil {
				return err
			}
			return kind.Started(ctx, s, c, w, r)
		})
	w.Add(cmd.Flags())
	return session.Creating(cmd)
}
func check(s *session.Session) *cobra.Command {
	var r choice.Flags
	cmd := s.Command("check [PROVIDER] CHECKPOINT", "Tell what a restore would come across, and restore nothing", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			wanted, err := r.Request(s.Env)
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			if err := r.Whole(ctx, c, &wanted, args); err != nil {
				return err
			}
			found, err := c.Restores.Check(ctx, wanted)
			if err != nil {
				return err
			}
			if err := output.List(s.Printer(), found.Findings, "severity", "resource", "message", "remedy"); err != nil {
				return err
			}
			if !found.Ready {
				return karbor.Errorf(karbor.Conflict, "the restore would fail")
			}
			return nil
		})
	r.Add(cmd.Flags())
	return cmd
}
