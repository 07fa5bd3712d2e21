package protectionservice

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/provider"
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
	p, err := s.providers.ByID(id)
	if err != nil {
		return Provider{}, err
	}
	return describe(p), nil
}

func describe(p *provider.Provider) Provider {
	return Provider{ID: p.ID, Name: p.Name, Description: p.Description, Schemas: p.Schemas(), Targets: copies.TargetNames(p)}
}
