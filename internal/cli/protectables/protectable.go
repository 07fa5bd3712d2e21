// Package protectables has the command protectable.
package protectables

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command protectable.
func Command(s *session.Session) *cobra.Command {
	return session.Group("protectable", "Types of resources that can be protected, and their instances",
		s.Help(list(s), session.Help{Example: `karbor protectable list`}),
		s.Help(show(s), session.Help{Example: `karbor protectable show server`, Places: session.At(lookup.ResourceTypes)}),
		session.Group("instance", "Resources in the cloud that can be protected",
			s.Help(instances(s, "list TYPE", "List the resources of a type"), session.Help{Example: `karbor protectable instance list server
karbor protectable instance list volume --sort name:asc -f value -c id`, Places: session.At(lookup.ResourceTypes)}),
			s.Help(instanceShow(s), session.Help{Example: `karbor protectable instance show server web`, Places: session.At(lookup.ResourceTypes, lookup.InstanceNames)}),
		),
		s.Help(instances(s, "instances TYPE", "Same as: protectable instance list TYPE"), session.Help{Example: `karbor protectable instances OS::Nova::Server`, Places: session.At(lookup.ResourceTypes)}),
	)
}

func list(s *session.Session) *cobra.Command {
	return s.Command("list", "List the types", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
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
		return output.List(s.Printer(), items, "protectable_type")
	})
}

func show(s *session.Session) *cobra.Command {
	return s.Command("show TYPE", "Show a type and what it depends on", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			t, err := argument.Type(args[0])
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			shown, err := c.Protectables.Show(ctx, t)
			if err != nil {
				return err
			}
			return s.Printer().Show(shown)
		})
}

func instances(s *session.Session, use, short string) *cobra.Command {
	var l session.ListFlags
	var parameters []string
	cmd := s.Command(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		t, err := argument.Type(args[0])
		if err != nil {
			return err
		}
		c, err := l.Connect(ctx, s)
		if err != nil {
			return err
		}
		instances, err := session.Collect(c.Protectables.Instances(ctx, t, argument.Pairs(parameters), l.Options(nil)))
		if err != nil {
			return err
		}
		return output.List(s.Printer(), instances, "id", "type", "name", "dependent_resources", "extra_info")
	})
	l.Add(cmd.Flags())
	cmd.Flags().StringArrayVar(&parameters, "parameters", nil, "key=value for the type's plug-in (repeatable)")
	return cmd
}

func instanceShow(s *session.Session) *cobra.Command {
	var parameters []string
	cmd := s.Command("show TYPE RESOURCE", "Show a resource and what it depends on", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			t, err := argument.Type(args[0])
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			if len(parameters) == 0 {
				i, err := lookup.Instance(ctx, c, t, args[1])
				if err != nil {
					return err
				}
				return s.Printer().Show(i)
			}
			i, err := c.Protectables.Instance(ctx, t, args[1], argument.Pairs(parameters))
			if err != nil {
				return err
			}
			return s.Printer().Show(i)
		})
	cmd.Flags().StringArrayVar(&parameters, "parameters", nil, "key=value for the type's plug-in (repeatable)")
	return cmd
}
