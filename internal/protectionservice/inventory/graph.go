package inventory

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protectable"
)

// maxNodes bounds the resources of one checkpoint.
const maxNodes = 10000

// Graph finds, as the tenant, what the resources of a plan depend on, down to
// the leaves, level by level. Only types that the provider protects become nodes;
// a listed resource of another type is an error that names it. What an absent service
// keeps from being found is one too, unless the parameters leave it out.
func (f *Finder) Graph(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, resources []karbor.Resource, parameters karbor.Parameters) (*karbor.Graph, error) {
	g, left := &karbor.Graph{}, &absence{parameters: parameters}
	var level []*karbor.Node
	for _, r := range resources {
		if !p.Protects(r.Type) {
			return nil, karbor.Errorf(karbor.Invalid, "provider %s has no protection plug-in for %s, the type of resource %s (%s)", p.Name, r.Type, r.ID, r.Name)
		}
		level = append(level, g.Add(r, ""))
	}
	if err := f.lookUp(ctx, cloud, p, level); err != nil {
		return nil, err
	}
	asked := map[karbor.NodeKey]bool{}
	for len(level) > 0 {
		found, err := f.dependentsOf(ctx, cloud, p, level, left)
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
	return g, left.note()
}

// lookUp makes sure that the resources of a plan are there, and the tenant's. Those
// that can have dependents are looked for with them, and those that nothing is done
// for not at all. A cloud that does not answer now does not keep the operation from
// being accepted: its hooks wait for it.
func (f *Finder) lookUp(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, listed []*karbor.Node) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, n := range listed {
		plugin := f.plugins[n.Type]
		if plugin == nil || flow.Idle(p.Hooks(karbor.Protect, n.Type)) || slices.ContainsFunc(f.under(n.Type), func(u protectable.Plugin) bool { return p.Protects(u.Type()) }) {
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

// dependentsOf gives, for each node, what it depends on directly.
func (f *Finder) dependentsOf(ctx context.Context, cloud karbor.Cloud, p *provider.Provider, level []*karbor.Node, left *absence) ([][]protectable.Dependent, error) {
	found := make([][]protectable.Dependent, len(level))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for i, n := range level {
		group.Go(func() error {
			for _, plugin := range f.under(n.Type) {
				if !p.Protects(plugin.Type()) || left.out(plugin.Type()) {
					continue
				}
				ds, err := plugin.Dependents(ctx, cloud, n.Resource)
				if err != nil && ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					if err := left.leave(n, plugin.Type(), err); err != nil {
						return err
					}
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
