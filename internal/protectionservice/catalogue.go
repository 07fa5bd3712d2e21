package protectionservice

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
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
	return Provider{ID: p.ID, Name: p.Name, Description: p.Description, Schemas: p.Schemas(), Targets: targetNames(p)}
}

func (s *Service) provider(id string) (*provider.Provider, error) {
	for _, p := range s.providers {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, karbor.Errorf(karbor.NotFound, "there is no provider %s", id)
}

// place gives the provider with the bank in which an operation works.
func (s *Service) place(op store.Operation) (*provider.Provider, error) {
	p, err := s.provider(op.ProviderID)
	if err != nil {
		return nil, err
	}
	return p.At(op.Bank)
}
