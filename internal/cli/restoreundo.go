package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// restoreUndo restores the safety checkpoint of a restore in place, in place.
func (a *app) restoreUndo() *cobra.Command {
	var w waitFlags
	cmd := a.command("undo RESTORE", "Undo a restore in place: overwrite the originals with what they held before", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := mustBeID("restore", args[0]); err != nil {
				return err
			}
			c, err := a.connect(ctx)
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
			if w.wait {
				a.say("restore %s", r.ID)
				w.own = true
				if r, err = a.awaitRestore(ctx, c, w, r.ID); err != nil {
					return err
				}
			}
			return a.finishRestore(r, w.wait)
		})
	w.add(cmd.Flags())
	return creating(cmd)
}
