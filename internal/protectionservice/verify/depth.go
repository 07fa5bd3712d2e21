package verify

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
)

// depthParameter is the member of the parameters of a verification that says how deep is
// looked.
const depthParameter = "depth"

// depths gives the types of a provider of which a verification can be told how deep to look, with
// the depths that there are.
func depths(p *provider.Provider) map[karbor.ResourceType][]string {
	out := map[karbor.ResourceType][]string{}
	for t, schemas := range p.Schemas() {
		var s struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
		}
		if schemas.Verify == nil || json.Unmarshal(schemas.Verify, &s) != nil {
			continue
		}
		if d, ok := s.Properties[depthParameter]; ok {
			out[t] = d.Enum
		}
	}
	return out
}

// CheckDepth makes sure that a provider verifies something as deep as is asked for.
func CheckDepth(p *provider.Provider, depth string) error {
	if depth == "" {
		return nil
	}
	known := map[string]bool{}
	for _, words := range depths(p) {
		for _, w := range words {
			known[w] = true
		}
	}
	if !known[depth] {
		return karbor.Errorf(karbor.Invalid, "depth: provider %s does not know %q; it knows %s", p.Name, depth,
			strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return nil
}

// withDepth adds a depth to the parameters of a verification, for the types in a graph
// that have it.
func withDepth(p *provider.Provider, g *karbor.Graph, parameters karbor.Parameters, depth string) (karbor.Parameters, error) {
	if depth == "" {
		return parameters, nil
	}
	if err := CheckDepth(p, depth); err != nil {
		return nil, err
	}
	out := maps.Clone(parameters)
	if out == nil {
		out = karbor.Parameters{}
	}
	have := depths(p)
	for _, n := range g.Nodes() {
		key := string(n.Type)
		if !slices.Contains(have[n.Type], depth) || out[key][depthParameter] != nil {
			continue
		}
		members := map[string]any{depthParameter: depth}
		maps.Copy(members, out[key])
		out[key] = members
	}
	return out, nil
}
