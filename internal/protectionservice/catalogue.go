package protectionservice

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// Provider describes a provider to a tenant.
type Provider struct {
	ID, Name, Description string
	// Schemas are by type, for the types that it protects.
	Schemas map[karbor.ResourceType]protection.Schemas
	// Targets are the names of the banks that checkpoints are copied to.
	Targets []string
}

// Providers gives every provider, by name.
func (s *Service) Providers() []Provider {
	out := make([]Provider, 0, len(s.providers))
	for _, p := range s.providers {
		out = append(out, describe(p))
	}
	return out
}

// Provider gives one provider; karbor.NotFound if there is none.
func (s *Service) Provider(id string) (Provider, error) {
	p, err := s.provider(id)
	if err != nil {
		return Provider{}, err
	}
	return describe(p), nil
}

func describe(p *provider.Provider) Provider {
	targets := []string{}
	for _, t := range p.Targets() {
		targets = append(targets, t.Target)
	}
	return Provider{ID: p.ID, Name: p.Name, Description: p.Description, Schemas: p.Schemas(), Targets: targets}
}

func (s *Service) provider(id string) (*provider.Provider, error) {
	for _, p := range s.providers {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, karbor.Errorf(karbor.NotFound, "there is no provider %s", id)
}

// ProtectableTypes gives the types that can be found in the cloud, parents before
// children.
func (s *Service) ProtectableTypes() []karbor.ResourceType {
	var out []karbor.ResourceType
	for _, t := range karbor.ResourceTypes() {
		if s.protectables[t] != nil {
			out = append(out, t)
		}
	}
	return out
}

func (s *Service) protectable(t karbor.ResourceType) (protectable.Plugin, error) {
	if p := s.protectables[t]; p != nil {
		return p, nil
	}
	return nil, karbor.Errorf(karbor.Invalid, "%q is not a protectable type", t)
}

// protectablesUnder gives the plug-ins whose resources one of type t may depend
// on, in the order of the types.
func (s *Service) protectablesUnder(t karbor.ResourceType) []protectable.Plugin {
	var out []protectable.Plugin
	for _, child := range karbor.ResourceTypes() {
		if p := s.protectables[child]; p != nil && slices.Contains(p.Parents(), t) {
			out = append(out, p)
		}
	}
	return out
}

// DependentTypes gives the types whose resources one of type t may depend on;
// karbor.Invalid for a type that is not protectable.
func (s *Service) DependentTypes(t karbor.ResourceType) ([]karbor.ResourceType, error) {
	if _, err := s.protectable(t); err != nil {
		return nil, err
	}
	out := []karbor.ResourceType{}
	for _, p := range s.protectablesUnder(t) {
		out = append(out, p.Type())
	}
	return out, nil
}

// Instance is a resource of the cloud with those that it depends on directly.
type Instance struct {
	karbor.Resource
	Dependents []karbor.Resource
}

// Instances lists the caller's resources of a type.
func (s *Service) Instances(ctx context.Context, c Caller, t karbor.ResourceType, q protectable.Query) ([]Instance, error) {
	plugin, err := s.protectable(t)
	if err != nil {
		return nil, err
	}
	resources, err := plugin.List(ctx, c.Cloud, q)
	if err != nil {
		return nil, err
	}
	out := make([]Instance, len(resources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for i, r := range resources {
		group.Go(func() error {
			var err error
			out[i], err = s.withDependents(ctx, c.Cloud, r)
			if karbor.KindOf(err) == karbor.NotFound {
				// It went while we looked: it is listed without what it had.
				out[i], err = Instance{Resource: r}, nil
			}
			return err
		})
	}
	return out, group.Wait()
}

// Instance shows one of the caller's resources.
func (s *Service) Instance(ctx context.Context, c Caller, t karbor.ResourceType, id string, parameters map[string]any) (Instance, error) {
	plugin, err := s.protectable(t)
	if err != nil {
		return Instance{}, err
	}
	r, err := plugin.Show(ctx, c.Cloud, id, parameters)
	if err != nil {
		return Instance{}, err
	}
	return s.withDependents(ctx, c.Cloud, r)
}

func (s *Service) withDependents(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (Instance, error) {
	in := Instance{Resource: r}
	for _, plugin := range s.protectablesUnder(r.Type) {
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
