package inventory

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

// Types gives the types that can be found in the cloud, parents before
// children.
func (f *Finder) Types() []karbor.ResourceType {
	var out []karbor.ResourceType
	for _, t := range karbor.ResourceTypes() {
		if f.plugins[t] != nil {
			out = append(out, t)
		}
	}
	return out
}

func (f *Finder) plugin(t karbor.ResourceType) (protectable.Plugin, error) {
	if p := f.plugins[t]; p != nil {
		return p, nil
	}
	return nil, karbor.Errorf(karbor.Invalid, "%q is not a protectable type", t)
}

// under gives the plug-ins whose resources one of type t may depend
// on, in the order of the types.
func (f *Finder) under(t karbor.ResourceType) []protectable.Plugin {
	var out []protectable.Plugin
	for _, child := range karbor.ResourceTypes() {
		if p := f.plugins[child]; p != nil && slices.Contains(p.Parents(), t) {
			out = append(out, p)
		}
	}
	return out
}

// DependentTypes gives the types whose resources one of type t may depend on;
// karbor.Invalid for a type that is not protectable.
func (f *Finder) DependentTypes(t karbor.ResourceType) ([]karbor.ResourceType, error) {
	if _, err := f.plugin(t); err != nil {
		return nil, err
	}
	out := []karbor.ResourceType{}
	for _, p := range f.under(t) {
		out = append(out, p.Type())
	}
	return out, nil
}

// Instance is a resource of the cloud with those that it depends on directly.
type Instance struct {
	karbor.Resource
	Dependents []karbor.Resource
}

// Instances lists the tenant's resources of a type.
func (f *Finder) Instances(ctx context.Context, cloud karbor.Cloud, t karbor.ResourceType, q protectable.Query) ([]Instance, error) {
	plugin, err := f.plugin(t)
	if err != nil {
		return nil, err
	}
	resources, err := plugin.List(ctx, cloud, q)
	if err != nil {
		return nil, err
	}
	out := make([]Instance, len(resources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for i, r := range resources {
		group.Go(func() error {
			var err error
			out[i], err = f.withDependents(ctx, cloud, r)
			if karbor.KindOf(err) == karbor.NotFound {
				// It went while we looked: it is listed without what it had.
				out[i], err = Instance{Resource: r}, nil
			}
			return err
		})
	}
	return out, group.Wait()
}

// Instance shows one of the tenant's resources.
func (f *Finder) Instance(ctx context.Context, cloud karbor.Cloud, t karbor.ResourceType, id string, parameters map[string]any) (Instance, error) {
	plugin, err := f.plugin(t)
	if err != nil {
		return Instance{}, err
	}
	r, err := plugin.Show(ctx, cloud, id, parameters)
	if err != nil {
		return Instance{}, err
	}
	return f.withDependents(ctx, cloud, r)
}

func (f *Finder) withDependents(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (Instance, error) {
	in := Instance{Resource: r}
	for _, plugin := range f.under(r.Type) {
		ds, err := plugin.Dependents(ctx, cloud, r)
		if err != nil {
			return in, err
		}
		for _, d := range ds {
			in.Dependents = append(in.Dependents, d.Resource)
		}
	}
	return in, nil
}
