package protectionservice

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

const (
	// maxNodes bounds the resources of one checkpoint.
	maxNodes = 10000
	// askAtOnce bounds the calls to the cloud that run at a time for one graph.
	askAtOnce = 8
)

// buildGraph finds, as the tenant, what the resources of a plan depend on, down to
// the leaves, level by level. Only types that the provider protects become nodes;
// a listed resource of another type is an error that names it.
func (s *Service) buildGraph(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, resources []karbor.Resource) (*karbor.Graph, error) {
	g := &karbor.Graph{}
	var level []*karbor.Node
	for _, r := range resources {
		if !p.Protects(r.Type) {
			return nil, karbor.Errorf(karbor.Invalid, "provider %s has no protection plug-in for %s, the type of resource %s (%s)", p.Name, r.Type, r.ID, r.Name)
		}
		level = append(level, g.Add(r, ""))
	}
	if err := s.lookUp(ctx, cloud, p, level); err != nil {
		return nil, err
	}
	asked := map[karbor.NodeKey]bool{}
	for len(level) > 0 {
		found, err := s.dependentsOf(ctx, cloud, p, level)
		if err != nil {
			return nil, err
		}
		var next []*karbor.Node
		for i, parent := range level {
			asked[parent.Key()] = true
			for _, d := range found[i] {
				role := ""
				if d.Private {
					role = parent.ID
				}
				child := g.Add(d.Resource, role)
				g.Connect(parent, child)
				if !asked[child.Key()] {
					asked[child.Key()] = true
					next = append(next, child)
				}
			}
		}
		if len(g.Nodes()) > maxNodes {
			return nil, karbor.Errorf(karbor.Invalid, "the plan leads to more than %d resources, which is more than one checkpoint may hold", maxNodes)
		}
		level = next
	}
	if err := g.Check(); err != nil {
		return nil, err
	}
	return g, nil
}

// lookUp makes sure that the resources of a plan are there, and the tenant's. Those
// that can have dependents are looked for with them, and those that nothing is done
// for not at all. A cloud that does not answer now does not keep the operation from
// being accepted: its hooks wait for it.
func (s *Service) lookUp(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, listed []*karbor.Node) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, n := range listed {
		plugin := s.protectables[n.Type]
		if plugin == nil || idle(p.Hooks(karbor.Protect, n.Type)) || slices.ContainsFunc(s.protectablesUnder(n.Type), func(u protectable.Plugin) bool { return p.Protects(u.Type()) }) {
			continue
		}
		group.Go(func() error {
			what := fmt.Sprintf("%s %s (%s)", n.Type, n.ID, n.Name)
			_, err := plugin.Show(ctx, cloud, n.ID, nil)
			if err != nil && !karbor.IsTransient(err) {
				return refuse(err, "looking up", what)
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// idle reports whether a plug-in has nothing to do for a resource.
func idle(h protection.Hooks) bool {
	return h.PrepareBegin == nil && h.PrepareFinish == nil && h.Main == nil && h.Complete == nil
}

// dependentsOf gives, for each node, what it depends on directly.
func (s *Service) dependentsOf(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, level []*karbor.Node) ([][]protectable.Dependent, error) {
	found := make([][]protectable.Dependent, len(level))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for i, n := range level {
		group.Go(func() error {
			for _, plugin := range s.protectablesUnder(n.Type) {
				if !p.Protects(plugin.Type()) {
					continue
				}
				ds, err := plugin.Dependents(ctx, cloud, n.Resource)
				if err != nil {
					return refuse(err, "finding the dependents of", fmt.Sprintf("%s %s (%s)", n.Type, n.ID, n.Name))
				}
				for _, d := range ds {
					if !karbor.IsResourceID(d.ID) {
						return fmt.Errorf("plug-in for %s found a dependent with the id %q", plugin.Type(), d.ID)
					}
				}
				found[i] = append(found[i], ds...)
			}
			return nil
		})
	}
	return found, group.Wait()
}

// refuse turns a resource that is not there into a fault of the request, and says of
// what else went wrong in which look it did.
func refuse(err error, doing, what string) error {
	if karbor.KindOf(err) == karbor.NotFound {
		return karbor.Errorf(karbor.Invalid, "resource %s does not exist in this project", what)
	}
	return fmt.Errorf("%s %s: %w", doing, what, err)
}
