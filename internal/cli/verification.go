package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) verification() *cobra.Command {
	return groupOf("verification", "Verifications: is what a checkpoint holds still good",
		a.verificationCreate(), a.verificationList(), a.verificationShow(), a.cancel("verification", "VERIFICATION"))
}

func (a *app) verificationCreate() *cobra.Command {
	var w waitFlags
	var parameters []string
	var document string
	cmd := a.command("create [PROVIDER] CHECKPOINT", "Verify a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			given, err := parseParameters(parameters, document)
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := a.findUsable(ctx, c, args)
			if err != nil {
				return err
			}
			v, err := c.Verifications.Create(ctx, client.VerificationRequest{ProviderID: provider, CheckpointID: cp.ID, Parameters: given})
			if err != nil {
				return err
			}
			if w.wait {
				a.say("verification %s", v.ID)
				w.own = true
				if v, err = a.awaitVerification(ctx, c, w, v.ID); err != nil {
					return err
				}
			}
			return a.finishVerification(v, w.wait)
		})
	f := cmd.Flags()
	w.add(f)
	f.StringArrayVar(&parameters, "parameters", nil, "resource_type=TYPE[,resource_id=ID],key=value,… or JSON (repeatable)")
	f.StringArrayVar(&parameters, "parameter", nil, "same as --parameters")
	f.StringVar(&document, "parameters-json", "", "parameters as JSON")
	return creating(cmd)
}

// finishVerification prints a verification; one that was waited for and found a
// fault makes an error.
func (a *app) finishVerification(v client.Verification, waited bool) error {
	shown := v
	if v.Status != karbor.VerificationVerifying {
		shown.Progress = nil
	}
	if err := a.printer().Show(shown); err != nil {
		return err
	}
	if waited && v.Status != karbor.VerificationSuccess {
		return failure("the verification "+v.ID, string(v.Status), v.ResourceReason, "karbor verification show "+v.ID)
	}
	return nil
}

func (a *app) verificationList() *cobra.Command {
	var l listFlags
	var status, checkpoint string
	cmd := a.command("list", "List verifications", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		all, err := collect(c.Verifications.List(ctx, l.options(map[string]string{"status": status, "checkpoint_id": checkpoint})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "project_id", "provider_id", "checkpoint_id", "parameters", "status")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "", "verifying, success or error")
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "those of a checkpoint, by id")
	return cmd
}

func (a *app) verificationShow() *cobra.Command {
	var w waitFlags
	cmd := a.command("show VERIFICATION", "Show a verification", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := mustBeID("verification", args[0]); err != nil {
			return err
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		v, err := c.Verifications.Show(ctx, args[0])
		if err == nil && w.wait {
			v, err = a.awaitVerification(ctx, c, w, v.ID)
		}
		if err != nil {
			return err
		}
		return a.finishVerification(v, w.wait)
	})
	w.add(cmd.Flags())
	return cmd
}
