package provider

import (
	"errors"

	"github.com/karbor/karbor"
)

// ErrUnknown is behind the error for a provider that there is not: no file has its id, or the
// operator has taken that away.
var ErrUnknown = errors.New("no provider file has this id")

// List is the providers of a service, by name.
type List []*Provider

// ByID gives one; karbor.NotFound if there is none.
func (l List) ByID(id string) (*Provider, error) {
	for _, p := range l {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, &karbor.Error{Kind: karbor.NotFound, Message: "there is no provider " + id, Cause: ErrUnknown}
}

// Place gives the provider with an id, with the bank of one of its copy targets, or, with "",
// its own.
func (l List) Place(id, bank string) (*Provider, error) {
	p, err := l.ByID(id)
	if err != nil {
		return nil, err
	}
	return p.At(bank)
}
