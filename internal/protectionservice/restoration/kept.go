package restoration

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Kept gives what stays of a restore that has failed, by the records of a graph's resources:
// those that are whole, and what stands on one that stays, whole or not: to remove a server
// may be to remove its volumes.
func Kept(g *karbor.Graph, rows []store.ResourceRecord) map[karbor.NodeKey]bool {
	whole, started := map[karbor.NodeKey]bool{}, map[karbor.NodeKey]bool{}
	for _, row := range rows {
		whole[row.Key], started[row.Key] = row.Started && row.State == karbor.ResourceAvailable, row.Started
	}
	// seen tells of each node whether it, or anything below it, is whole.
	seen, kept := map[karbor.NodeKey]bool{}, map[karbor.NodeKey]bool{}
	var holds func(n *karbor.Node) bool
	holds = func(n *karbor.Node) bool {
		if known, ok := seen[n.Key()]; ok {
			return known
		}
		holding := whole[n.Key()]
		for _, child := range n.Children {
			holding = holds(g.Node(child)) || holding
		}
		seen[n.Key()] = holding
		if holding && started[n.Key()] {
			kept[n.Key()] = true
		}
		return holding
	}
	for _, n := range g.Nodes() {
		holds(n)
	}
	return kept
}

// Deciding gives the keys of the resources whose records decide whether a node stays: its own, and
// those of all below it.
func Deciding(g *karbor.Graph, n *karbor.Node) []karbor.NodeKey {
	keys, seen := []karbor.NodeKey{n.Key()}, map[karbor.NodeKey]bool{n.Key(): true}
	for i := 0; i < len(keys); i++ {
		for _, child := range g.Node(keys[i]).Children {
			if !seen[child] {
				seen[child] = true
				keys = append(keys, child)
			}
		}
	}
	return keys
}

// Stays reports what Kept says of a node, by the records that decide it.
func Stays(n *karbor.Node, deciding []store.ResourceRecord) bool {
	whole, started := false, false
	for _, row := range deciding {
		whole = whole || row.Started && row.State == karbor.ResourceAvailable
		started = started || row.Key == n.Key() && row.Started
	}
	return whole && started
}
