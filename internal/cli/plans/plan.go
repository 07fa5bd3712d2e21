// Package plans has the command plan.
package plans

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command plan.
func Command(s *session.Session) *cobra.Command {
	return session.Group("plan", "Plans: what is protected, and how",
		s.Help(create(s), session.Help{Example: `karbor plan create shop bank --resource server:web --resource server:db
karbor plan create disks bank --resource volume:data --parameters resource_type=volume,backup_name=data`, Places: session.At(nil, lookup.ProviderNames)}),
		s.Help(list(s), session.Help{Example: `karbor plan list --status started --sort name:asc`}),
		s.Help(session.Show(s, "show PLAN", "Show a plan", lookup.Plan), session.Help{Example: `karbor plan show shop -f json`, Places: session.At(lookup.PlanNames)}),
		s.Help(update(s), session.Help{Example: `karbor plan update shop --status suspended --resource server:web --resource server:db`, Places: session.At(lookup.PlanNames)}),
		s.Help(remove(s), session.Help{Example: `karbor plan delete shop`, Places: session.At(lookup.PlanNames), More: true}),
		s.Help(graph(s), session.Help{Example: `karbor plan graph shop`, Places: session.At(lookup.PlanNames)}),
		s.Help(retention(s), session.Help{Example: `karbor plan retention shop --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --timezone Europe/Berlin --dry-run`}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List plans",
		func(c *client.Client) session.Lister[client.Plan] { return c.Plans.List },
		[]session.Filter{
			{Flag: "name", Usage: "those with this in their name"},
			{Flag: "description", Usage: "those with this description"},
			{Flag: "status", Usage: "suspended or started"},
		}, "id", "name", "description", "provider_id", "status")
}

func create(s *session.Session) *cobra.Command {
	var description, old string
	var resources []string
	var parameters argument.ParameterFlags
	cmd := s.Command("create NAME PROVIDER [RESOURCES]", "Create a plan", cobra.RangeArgs(2, 3),
		func(ctx context.Context, args []string) error {
			if len(args) == 3 {
				old += "," + args[2]
			}
			listed, err := argument.Resources(old)
			if err != nil {
				return err
			}
			given, err := parameters.Read()
			if err != nil {
				return err
			}
			if len(listed)+len(resources) == 0 {
				return exit.Usagef("a plan needs resources: --resource TYPE:ID, at least once")
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			provider, err := lookup.ProviderID(ctx, c, args[1])
			if err != nil {
				return err
			}
			found, err := resolve(ctx, c, resources)
			if err != nil {
				return err
			}
			plan, err := c.Plans.Create(ctx, client.PlanRequest{Name: args[0], Description: description,
				ProviderID: provider, Resources: append(listed, found...), Parameters: given})
			if err != nil {
				return err
			}
			return s.Printer().Show(plan)
		})
	f := cmd.Flags()
	f.StringVar(&description, "description", "", "description")
	f.StringArrayVar(&resources, "resource", nil, "TYPE:ID[:NAME], such as server:web (repeatable)")
	f.StringVar(&old, "resources", "", "id=type=name[=extra_info],…")
	parameters.Add(f)
	return session.Creating(cmd)
}

func update(s *session.Session) *cobra.Command {
	var name, description, status, old string
	var resources []string
	var cmd *cobra.Command
	cmd = s.Command("update PLAN", "Change a plan", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		listed, err := argument.Resources(old)
		if err != nil {
			return err
		}
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		found, err := resolve(ctx, c, resources)
		if err != nil {
			return err
		}
		change := client.PlanChange{Resources: append(listed, found...)}
		if cmd.Flags().Changed("name") {
			change.Name = &name
		}
		if cmd.Flags().Changed("description") {
			change.Description = &description
		}
		if cmd.Flags().Changed("status") {
			s := karbor.PlanStatus(status)
			change.Status = &s
		}
		if change.Name == nil && change.Description == nil && change.Status == nil && len(change.Resources) == 0 {
			return exit.Usagef("nothing to change: give --name, --description, --status or --resource")
		}
		plan, err := lookup.Plan(ctx, c, args[0])
		if err != nil {
			return err
		}
		if plan, err = c.Plans.Update(ctx, plan.ID, change); err != nil {
			return err
		}
		return s.Printer().Show(plan)
	})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "new description")
	f.StringVar(&status, "status", "", "suspended or started")
	f.StringArrayVar(&resources, "resource", nil, "TYPE:ID[:NAME]; all that the plan shall have (repeatable)")
	f.StringVar(&old, "resources", "", "id=type=name[=extra_info],…")
	return cmd
}

func remove(s *session.Session) *cobra.Command {
	return s.Each("delete PLAN...", "Delete plans; their checkpoints stay", func(ctx context.Context, c *client.Client, ref string) error {
		plan, err := lookup.Plan(ctx, c, ref)
		if err != nil {
			return err
		}
		return c.Plans.Delete(ctx, plan.ID)
	})
}

// resolve reads resources as TYPE:ID[:NAME]. ID may be a name. A
// name that is left out is looked up in the cloud.
func resolve(ctx context.Context, c *client.Client, texts []string) ([]karbor.Resource, error) {
	var all []karbor.Resource
	for _, text := range texts {
		t, rest, err := argument.SplitType(text)
		if err != nil {
			return nil, err
		}
		id, name, named := strings.Cut(rest, ":")
		if named && name != "" {
			all = append(all, karbor.Resource{Type: t, ID: id, Name: name})
			continue
		}
		i, err := lookup.Instance(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		r := karbor.Resource{Type: t, ID: i.ID, Name: i.Name}
		if r.Name == "" {
			r.Name = r.ID
		}
		all = append(all, r)
	}
	return all, nil
}
