// Package restoration decides, from the graph of a checkpoint and what a tenant chooses,
// what a restore brings back, in which stages, with which parameters, and what of it stays
// when it fails. It asks nobody and changes nothing.
package restoration

import (
	"strings"

	"github.com/karbor/karbor"
)

// Choose gives the part of a checkpoint's graph that a restore is to bring back. What
// belongs to one resource alone, a server's disk, comes along with it. The error is
// karbor.Invalid, and says what to do.
func Choose(g *karbor.Graph, c karbor.RestoreChoices) (*karbor.Graph, error) {
	if len(c.Resources) == 0 {
		if c.Dependents != "" {
			return nil, karbor.Errorf(karbor.Invalid, "dependents: it is for a restore of chosen resources: name them in resources")
		}
		return g, nil
	}
	in := map[karbor.NodeKey]bool{}
	var take func(n *karbor.Node, all bool)
	take = func(n *karbor.Node, all bool) {
		if in[n.Key()] {
			return
		}
		in[n.Key()] = true
		for _, child := range g.Children(n) {
			// A project is what is in it.
			if all || child.Role != "" || n.Type == karbor.ProjectType {
				take(child, all)
			}
		}
	}
	nodesOf := nodesByResource(g)
	for i, key := range c.Resources {
		if len(nodesOf[key]) == 0 {
			return nil, karbor.Errorf(karbor.Invalid, "resources[%d]: there is no resource %q in the checkpoint", i, key)
		}
		for _, n := range nodesOf[key] {
			take(n, c.Dependents == "" || c.Dependents == karbor.DependentsRestore)
		}
	}
	if c.Dependents == karbor.DependentsRefuse {
		if err := closed(g, in); err != nil {
			return nil, err
		}
	}
	return part(g, in), nil
}

// closed makes sure that nothing is missing that a resource of a part needs.
func closed(g *karbor.Graph, in map[karbor.NodeKey]bool) error {
	for _, missing := range missing(g, in) {
		n := missing.Of
		return karbor.Errorf(karbor.Invalid, "resources: %s %s needs %s %s, which is not among them: add %q, or have dependents restored (restore) or taken as they are (existing)",
			n.Type.Word(), n.ID, missing.Type.Word(), missing.ID, missing.Resource.Key())
	}
	return nil
}

// Absence is a node outside of a part of a graph, and one of the part that depends on it.
type Absence struct {
	*karbor.Node
	Of *karbor.Node
}

// Missing lists what the nodes of a part of a graph depend on outside of it, each once.
func Missing(whole, part *karbor.Graph) []Absence {
	in := make(map[karbor.NodeKey]bool, len(part.Nodes()))
	for _, n := range part.Nodes() {
		in[n.Key()] = true
	}
	return missing(whole, in)
}

func missing(g *karbor.Graph, in map[karbor.NodeKey]bool) []Absence {
	var out []Absence
	listed := map[karbor.NodeKey]bool{}
	for _, n := range g.Nodes() {
		if !in[n.Key()] {
			continue
		}
		for _, child := range g.Children(n) {
			if key := child.Key(); !in[key] && !listed[key] {
				listed[key] = true
				out = append(out, Absence{child, n})
			}
		}
	}
	return out
}

// part gives a graph of some of the nodes, with the edges among them.
func part(g *karbor.Graph, in map[karbor.NodeKey]bool) *karbor.Graph {
	out := &karbor.Graph{}
	for _, n := range g.Nodes() {
		if in[n.Key()] {
			out.Add(n.Resource, n.Role)
		}
	}
	for _, n := range g.Nodes() {
		if !in[n.Key()] {
			continue
		}
		for _, child := range g.Children(n) {
			if in[child.Key()] {
				out.Connect(out.Node(n.Key()), out.Node(child.Key()))
			}
		}
	}
	return out
}

// Existing gives the original that a restore takes for a node that it does not restore,
// or "". The node's key has its id.
func Existing(g *karbor.Graph, c karbor.RestoreChoices, key karbor.NodeKey) string {
	if c.Dependents != karbor.DependentsExisting || g.Node(key) != nil {
		return ""
	}
	_, id, _ := strings.Cut(string(key), "/")
	if strings.Contains(id, "@") {
		return "" // part of another resource
	}
	return id
}
