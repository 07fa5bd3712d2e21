package protectionservice

import (
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// A provider has its own bank, and one for each target that checkpoints are copied to. Each is a
// place: the provider with that bank.

// places gives all places of all providers.
func (s *Service) places() []*provider.Provider {
	var out []*provider.Provider
	for _, p := range s.providers {
		out = append(append(out, p), p.Targets()...)
	}
	return out
}

// placeKey tells places apart.
func placeKey(p *provider.Provider) string { return p.ID + "/" + p.Target }

// place gives the place in which an operation works.
func (s *Service) place(op store.Operation) (*provider.Provider, error) {
	p, err := s.provider(op.ProviderID)
	if err != nil {
		return nil, err
	}
	return p.At(op.Bank)
}
