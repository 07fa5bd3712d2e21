package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) plan() *cobra.Command {
	return groupOf("plan", "Plans: what is protected, and how",
		a.planCreate(), a.planList(), a.planShow(), a.planUpdate(), a.planDelete(), a.planGraph(), a.planRetention())
}

func (a *app) planCreate() *cobra.Command {
	var description, document, old string
	var resources, parameters []string
	cmd := a.command("create NAME PROVIDER [RESOURCES]", "Create a plan", cobra.RangeArgs(2, 3),
		func(ctx context.Context, args []string) error {
			if len(args) == 3 {
				old += "," + args[2]
			}
			listed, err := parseResources(old)
			if err != nil {
				return err
			}
			given, err := parseParameters(parameters, document)
			if err != nil {
				return err
			}
			if len(listed)+len(resources) == 0 {
				return usagef("a plan needs resources: --resource TYPE:ID, at least once")
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, err := a.providerID(ctx, c, args[1])
			if err != nil {
				return err
			}
			found, err := a.resolveResources(ctx, c, resources)
			if err != nil {
				return err
			}
			plan, err := c.Plans.Create(ctx, client.PlanRequest{Name: args[0], Description: description,
				ProviderID: provider, Resources: append(listed, found...), Parameters: given})
			if err != nil {
				return err
			}
			return a.printer().Show(plan)
		})
	f := cmd.Flags()
	f.StringVar(&description, "description", "", "description")
	f.StringArrayVar(&resources, "resource", nil, "TYPE:ID[:NAME], such as server:web (repeatable)")
	f.StringVar(&old, "resources", "", "id=type=name[=extra_info],…")
	f.StringArrayVar(&parameters, "parameters", nil, "resource_type=TYPE[,resource_id=ID],key=value,… or JSON (repeatable)")
	f.StringArrayVar(&parameters, "parameter", nil, "same as --parameters")
	f.StringVar(&document, "parameters-json", "", "parameters as JSON")
	return creating(cmd)
}

func (a *app) planList() *cobra.Command {
	var l listFlags
	var name, description, status string
	cmd := a.command("list", "List plans", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		plans, err := collect(c.Plans.List(ctx, l.options(map[string]string{
			"name": name, "description": description, "status": status})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), plans, "id", "name", "description", "provider_id", "status")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "", "those with this in their name")
	cmd.Flags().StringVar(&description, "description", "", "those with this description")
	cmd.Flags().StringVar(&status, "status", "", "suspended or started")
	return cmd
}

func (a *app) planShow() *cobra.Command {
	return a.command("show PLAN", "Show a plan", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		plan, err := a.findPlan(ctx, c, args[0])
		if err != nil {
			return err
		}
		return a.printer().Show(plan)
	})
}

func (a *app) planUpdate() *cobra.Command {
	var name, description, status, old string
	var resources []string
	var cmd *cobra.Command
	cmd = a.command("update PLAN", "Change a plan", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		listed, err := parseResources(old)
		if err != nil {
			return err
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		found, err := a.resolveResources(ctx, c, resources)
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
			return usagef("nothing to change: give --name, --description, --status or --resource")
		}
		plan, err := a.findPlan(ctx, c, args[0])
		if err != nil {
			return err
		}
		if plan, err = c.Plans.Update(ctx, plan.ID, change); err != nil {
			return err
		}
		return a.printer().Show(plan)
	})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "new description")
	f.StringVar(&status, "status", "", "suspended or started")
	f.StringArrayVar(&resources, "resource", nil, "TYPE:ID[:NAME]; all that the plan shall have (repeatable)")
	f.StringVar(&old, "resources", "", "id=type=name[=extra_info],…")
	return cmd
}

func (a *app) planDelete() *cobra.Command {
	return a.command("delete PLAN...", "Delete plans; their checkpoints stay", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			var faults []error
			for _, ref := range args {
				plan, err := a.findPlan(ctx, c, ref)
				if err == nil {
					err = c.Plans.Delete(ctx, plan.ID)
				}
				if err != nil {
					faults = append(faults, err)
				}
			}
			return errors.Join(faults...)
		})
}

func (a *app) planGraph() *cobra.Command {
	return a.command("graph PLAN", "Draw what a plan's resources depend on today", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			plan, err := a.findPlan(ctx, c, args[0])
			if err != nil {
				return err
			}
			w := walk{client: c, graph: &karbor.Graph{}, visited: map[karbor.NodeKey]bool{}}
			for _, r := range plan.Resources {
				if err := w.visit(ctx, w.graph.Add(r, ""), 0); err != nil {
					return err
				}
			}
			return output.Tree(a.Stdout, fmt.Sprintf("plan %s (%s)", plan.Name, plan.ID), w.graph, nil)
		})
}

// walk asks for the dependents of resources, and theirs, each once.
type walk struct {
	client  *client.Client
	graph   *karbor.Graph
	visited map[karbor.NodeKey]bool
}

func (w *walk) visit(ctx context.Context, n *karbor.Node, depth int) error {
	if w.visited[n.Key()] {
		return nil
	}
	w.visited[n.Key()] = true
	i, err := w.client.Protectables.Instance(ctx, n.Type, n.ID, nil)
	if kind := karbor.KindOf(err); depth > 0 && (kind == karbor.NotFound || kind == karbor.Conflict) {
		// It is no resource of the project's own, such as a public image that a server
		// was booted from: it depends on nothing.
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range i.DependentResources {
		child := w.graph.Add(r, "")
		w.graph.Connect(n, child)
		if err := w.visit(ctx, child, depth+1); err != nil {
			return err
		}
	}
	return w.graph.Check()
}
