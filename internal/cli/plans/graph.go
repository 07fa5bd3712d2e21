package plans

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

func graph(s *session.Session) *cobra.Command {
	return s.Command("graph PLAN", "Draw what a plan's resources depend on today", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			plan, err := lookup.Plan(ctx, c, args[0])
			if err != nil {
				return err
			}
			w := walk{client: c, graph: &karbor.Graph{}, visited: map[karbor.NodeKey]bool{}}
			for _, r := range plan.Resources {
				if err := w.visit(ctx, w.graph.Add(r, ""), 0); err != nil {
					return err
				}
			}
			return output.Tree(s.Stdout, fmt.Sprintf("plan %s (%s)", plan.Name, plan.ID), w.graph, nil)
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
