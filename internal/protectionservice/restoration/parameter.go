package restoration

import (
	"slices"
	"strings"

	"github.com/karbor/karbor"
)

// CheckParameters makes sure that parameters for one resource are for one of a
// checkpoint's graph; else the error is karbor.Invalid.
func CheckParameters(g *karbor.Graph, parameters karbor.Parameters) error {
	for key := range parameters {
		if !strings.Contains(key, "#") {
			continue
		}
		if !slices.ContainsFunc(g.Nodes(), func(n *karbor.Node) bool { return n.Resource.Key() == key }) {
			return karbor.Errorf(karbor.Invalid, "parameters[%q]: there is no such resource in the checkpoint", key)
		}
	}
	return nil
}
