// Package verifications has the command verification.
package verifications

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/operation"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command verification.
func Command(s *session.Session) *cobra.Command {
	return session.Group("verification", "Verifications: is what a checkpoint holds still good",
		s.Help(create(s), session.Help{Example: `karbor verification create c99ad067-e5e2-4770-8547-78fd54139b50 --wait`, Places: session.At(lookup.Either(lookup.CheckpointIDs, lookup.ProviderNames), lookup.CheckpointIDs)}),
		s.Help(list(s), session.Help{Example: `karbor verification list --status error`}),
		s.Help(kind.Show(s), session.Help{Example: `karbor verification show 0f3b52f5-5d4f-4e0f-8c2c-6a3c1d2e4f50 -f yaml`}),
		s.Help(operation.Cancel(s, "verification"), session.Help{Example: `karbor verification cancel 0f3b52f5-5d4f-4e0f-8c2c-6a3c1d2e4f50`}),
	)
}

// kind are the verifications.
var kind = &operation.Kind[client.Verification]{
	Noun: "verification",
	ID:   func(r client.Verification) string { return r.ID },
	Look: func(ctx context.Context, c *client.Client, id string, _ client.Verification) (client.Verification, error) {
		return c.Verifications.Show(ctx, id)
	},
	Standing: func(r client.Verification) operation.Standing {
		return operation.Standing{Over: r.Status != karbor.VerificationVerifying, Progress: r.Progress}
	},
	Shown: func(r client.Verification) client.Verification {
		if r.Status != karbor.VerificationVerifying {
			r.Progress = nil
		}
		return r
	},
	Fault: func(r client.Verification) error {
		if r.Status == karbor.VerificationSuccess {
			return nil
		}
		return operation.Failure("the verification "+r.ID, string(r.Status), r.ResourceReason, "karbor verification show "+r.ID)
	},
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List verifications",
		func(c *client.Client) session.Lister[client.Verification] { return c.Verifications.List },
		[]session.Filter{
			{Flag: "status", Usage: "verifying, success or error"},
			{Flag: "checkpoint", Member: "checkpoint_id", Usage: "those of a checkpoint, by id"},
		}, "id", "project_id", "provider_id", "checkpoint_id", "parameters", "status")
}

func create(s *session.Session) *cobra.Command {
	var w operation.WaitFlags
	var parameters argument.ParameterFlags
	cmd := s.Command("create [PROVIDER] CHECKPOINT", "Verify a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			given, err := parameters.Read()
			if err != nil {
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
			v, err := c.Verifications.Create(ctx, client.VerificationRequest{ProviderID: provider, CheckpointID: cp.ID, Parameters: given})
			if err != nil {
				return err
			}
			return kind.Started(ctx, s, c, w, v)
		})
	f := cmd.Flags()
	w.Add(f)
	parameters.Add(f)
	return session.Creating(cmd)
}
