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
