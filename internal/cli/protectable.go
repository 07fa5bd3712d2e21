package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) protectable() *cobra.Command {
	instance := groupOf("instance", "Resources in the cloud that can be protected",
		a.instanceList("list TYPE", "List the resources of a type"), a.instanceShow())
	return groupOf("protectable", "Types of resources that can be protected, and their instances",
		a.protectableList(), a.protectableShow(), instance,
		a.instanceList("instances TYPE", "Same as: protectable instance list TYPE"))
}

func (a *app) protectableList() *cobra.Command {
	return a.command("list", "List the types", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		types, err := c.Protectables.List(ctx)
		if err != nil {
			return err
		}
		type item struct {
			Type karbor.ResourceType `json:"protectable_type"`
		}
		var items []item
		for _, t := range types {
			items = append(items, item{t})
		}
		return output.List(a.printer(), items, "protectable_type")
	})
}

func (a *app) protectableShow() *cobra.Command {
	return a.command("show TYPE", "Show a type and what it depends on", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			t, err := resourceType(args[0])
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			shown, err := c.Protectables.Show(ctx, t)
			if err != nil {
				return err
			}
			return a.printer().Show(shown)
		})
}

func (a *app) instanceList(use, short string) *cobra.Command {
	var l listFlags
	var parameters []string
	cmd := a.command(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		t, err := resourceType(args[0])
		if err != nil {
			return err
		}
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		instances, err := collect(c.Protectables.Instances(ctx, t, parsePairs(parameters), l.options(nil)))
		if err != nil {
			return err
		}
		return output.List(a.printer(), instances, "id", "type", "name", "dependent_resources", "extra_info")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringArrayVar(&parameters, "parameters", nil, "key=value for the type's plug-in (repeatable)")
	return cmd
}

func (a *app) instanceShow() *cobra.Command {
	var parameters []string
	cmd := a.command("show TYPE RESOURCE", "Show a resource and what it depends on", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			t, err := resourceType(args[0])
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			if len(parameters) == 0 {
				i, err := a.findInstance(ctx, c, t, args[1])
				if err != nil {
					return err
				}
				return a.printer().Show(i)
			}
			i, err := c.Protectables.Instance(ctx, t, args[1], parsePairs(parameters))
			if err != nil {
				return err
			}
			return a.printer().Show(i)
		})
	cmd.Flags().StringArrayVar(&parameters, "parameters", nil, "key=value for the type's plug-in (repeatable)")
	return cmd
}
