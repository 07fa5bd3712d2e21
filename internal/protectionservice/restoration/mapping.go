package restoration

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protection"
)

// Mapped gives a restore's parameters with its mapping put into them: each member
// becomes the parameter "restore_" and its name of all types whose plug-in has that. What
// the parameters say themselves goes before. A member that no plug-in of the provider
// knows is karbor.Invalid.
func Mapped(p *provider.Provider, g *karbor.Graph, parameters karbor.Parameters, mapping map[string]any) (karbor.Parameters, error) {
	if len(mapping) == 0 {
		return parameters, nil
	}
	out := maps.Clone(parameters)
	if out == nil {
		out = karbor.Parameters{}
	}
	takers := map[string]bool{}
	for t, schemas := range p.Schemas() {
		members, err := membersOf(schemas)
		if err != nil {
			return nil, err
		}
		own := maps.Clone(out[string(t)])
		if own == nil {
			own = map[string]any{}
		}
		for name, value := range mapping {
			parameter := protection.RestorePrefix + name
			if !members[parameter] {
				continue
			}
			takers[name] = true
			if _, set := own[parameter]; !set {
				own[parameter] = value
			}
		}
		used := slices.ContainsFunc(g.Nodes(), func(n *karbor.Node) bool { return n.Type == t })
		if used && len(own) > 0 {
			out[string(t)] = own
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		if !takers[name] {
			return nil, karbor.Errorf(karbor.Invalid, "mapping: no plug-in of provider %s knows %q", p.Name, name)
		}
	}
	return out, nil
}

// membersOf gives the names of a plug-in's restore parameters.
func membersOf(s protection.Schemas) (map[string]bool, error) {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if s.Restore != nil {
		// It is a schema: the provider was not loaded otherwise.
		if err := json.Unmarshal(s.Restore, &schema); err != nil {
			return nil, err
		}
	}
	members := make(map[string]bool, len(schema.Properties))
	for name := range schema.Properties {
		members[name] = true
	}
	return members, nil
}
