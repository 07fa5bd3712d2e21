package network

import (
	"fmt"
	"slices"

	"github.com/karbor/karbor/protection"
)

// about gives the members that all of them have.
func (c common) about() common { return c }

// own gives those of a project's things that are its own. What a restore drill has made goes with the
// drill. What a restore has not finished goes with it, too, if it fails; one that was cut short leaves it,
// so that the tenant is told.
func own[T interface{ about() common }](s *survey, k kind, all []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool {
		c := t.about()
		if protection.MadeByDrill(c.Description, c.Tags) {
			return true
		}
		unfinished := protection.Unfinished(c.Description)
		if unfinished {
			s.leftOut = append(s.leftOut, fmt.Sprintf("The %s %q (%s): a restore has not finished it. If none is at work, give it another description, or delete it.",
				k.word(), c.Name, c.ID))
		}
		return unfinished
	})
}

// without gives those of some subnets that are on none of the networks which were left out.
func without(subnets []subnet, all, kept []network) []subnet {
	return slices.DeleteFunc(subnets, func(s subnet) bool {
		on := func(n network) bool { return n.ID == s.NetworkID }
		return slices.ContainsFunc(all, on) && !slices.ContainsFunc(kept, on)
	})
}
