package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) quotaClass() *cobra.Command {
	return groupOf("quotaclass", "Quota classes: that named default has the defaults of all projects",
		a.quotaClassShow(), a.quotaClassUpdate())
}

func (a *app) quotaClassShow() *cobra.Command {
	return a.command("show CLASS", "Show a quota class", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		q, err := c.QuotaClasses.Show(ctx, args[0])
		if err != nil {
			return err
		}
		return a.printer().Show(q)
	})
}

func (a *app) quotaClassUpdate() *cobra.Command {
	var f quotaFlags
	cmd := a.command("update CLASS", "Change a quota class (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			q, err := c.QuotaClasses.Update(ctx, args[0], change)
			if err != nil {
				return err
			}
			return a.printer().Show(q)
		})
	f.add(cmd.Flags())
	return cmd
}
