// Package inventory finds what there is in a tenant's cloud: the resources of each type, what
// they depend on, down to the leaves, and how much of a quota they take. It asks the
// protectable plug-ins, as the tenant, and keeps nothing.
package inventory

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

// askAtOnce bounds the calls to the cloud that run at a time for one question.
const askAtOnce = 8

// Finder finds resources. It is safe for concurrent use.
type Finder struct {
	plugins map[karbor.ResourceType]protectable.Plugin
}

// New makes a finder that asks some plug-ins. Two of one type are karbor.Invalid.
func New(plugins []protectable.Plugin) (*Finder, error) {
	f := &Finder{plugins: make(map[karbor.ResourceType]protectable.Plugin, len(plugins))}
	for _, p := range plugins {
		if f.plugins[p.Type()] != nil {
			return nil, karbor.Errorf(karbor.Invalid, "two protectable plug-ins find %s", p.Type())
		}
		f.plugins[p.Type()] = p
	}
	return f, nil
}
