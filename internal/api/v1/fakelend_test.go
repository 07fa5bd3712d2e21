package v1_test

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// lending is what users have lent to scheduled operations, and got back.
type lending struct {
	lent, returned []string
	// unwilling is why nobody lends anything.
	unwilling error
}

func (s *service) Lend(_ context.Context, from *karbor.Identity, projectID, id string) (store.Lent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwilling != nil {
		return store.Lent{}, s.unwilling
	}
	if projectID != from.ProjectID {
		return store.Lent{}, karbor.Errorf(karbor.Forbidden, "only people of the project itself")
	}
	s.lent = append(s.lent, from.UserID+" "+id)
	return store.Lent{Sealed: []byte(from.UserID), Kind: karbor.DelegationTrust}, nil
}

func (s *service) ReturnLent(_ context.Context, id string, sealed []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned = append(s.returned, string(sealed)+" "+id)
	return nil
}

// lendings gives who has lent something, and who has it back.
func (s *service) lendings() (lent, returned []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lent), slices.Clone(s.returned)
}
