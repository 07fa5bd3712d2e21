package protectabletest

import (
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

// Sorted gives resources of one type in the order of their ids. named holds their
// names by id.
func Sorted(t karbor.ResourceType, named map[string]string) []karbor.Resource {
	out := []karbor.Resource{}
	for id, name := range named {
		out = append(out, karbor.Resource{Type: t, ID: id, Name: name})
	}
	slices.SortFunc(out, func(a, b karbor.Resource) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Shared makes dependents of resources that any number of parents share.
func Shared(list []karbor.Resource) []protectable.Dependent {
	out := []protectable.Dependent{}
	for _, r := range list {
		out = append(out, protectable.Dependent{Resource: r})
	}
	return out
}
