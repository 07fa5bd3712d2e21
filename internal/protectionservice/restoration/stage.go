package restoration

import (
	"time"

	"github.com/karbor/karbor"
)

// CheckStages checks the stages of a restore of a graph. The error is karbor.Invalid.
func CheckStages(g *karbor.Graph, stages []karbor.RestoreStage) error {
	if len(stages) > karbor.MaxStages {
		return karbor.Errorf(karbor.Invalid, "stages: there are %d, which is more than %d", len(stages), karbor.MaxStages)
	}
	stageOf, nodesOf := map[karbor.NodeKey]int{}, nodesByResource(g)
	for i, stage := range stages {
		if stage.Delay < 0 || stage.Delay > int64(karbor.MaxStageDelay/time.Second) {
			return karbor.Errorf(karbor.Invalid, "stages[%d].delay: %d is not between 0 and %d seconds", i, stage.Delay, int64(karbor.MaxStageDelay/time.Second))
		}
		for j, key := range stage.Resources {
			nodes := nodesOf[key]
			if len(nodes) == 0 {
				return karbor.Errorf(karbor.Invalid, "stages[%d].resources[%d]: there is no resource %q in the restore", i, j, key)
			}
			for _, n := range nodes {
				if _, twice := stageOf[n.Key()]; twice {
					return karbor.Errorf(karbor.Invalid, "stages[%d].resources[%d]: %q is there twice", i, j, key)
				}
				stageOf[n.Key()] = i
			}
		}
	}
	latest := latestBelow(g, stageOf)
	for _, n := range g.Nodes() {
		i, staged := stageOf[n.Key()]
		if last := latest[n.Key()]; staged && last != nil && stageOf[last.Key()] > i {
			return karbor.Errorf(karbor.Invalid, "stages: %q depends on %q, which is in a later stage", n.Resource.Key(), last.Resource.Key())
		}
	}
	return nil
}

// latestBelow gives, for each node, the one of the latest stage among those that it
// depends on, directly or not; nil where none of them is in a stage.
func latestBelow(g *karbor.Graph, stageOf map[karbor.NodeKey]int) map[karbor.NodeKey]*karbor.Node {
	latest := make(map[karbor.NodeKey]*karbor.Node, len(g.Nodes()))
	var visit func(n *karbor.Node) *karbor.Node
	visit = func(n *karbor.Node) *karbor.Node {
		key := n.Key()
		if found, seen := latest[key]; seen {
			return found
		}
		latest[key] = nil
		var last *karbor.Node
		for _, c := range g.Children(n) {
			for _, candidate := range []*karbor.Node{c, visit(c)} {
				if candidate == nil {
					continue
				}
				stage, staged := stageOf[candidate.Key()]
				if staged && (last == nil || stage > stageOf[last.Key()]) {
					last = candidate
				}
			}
		}
		latest[key] = last
		return last
	}
	for _, n := range g.Nodes() {
		visit(n)
	}
	return latest
}

// nodesByResource gives the nodes of each resource, in whatever role, by its key.
func nodesByResource(g *karbor.Graph) map[string][]*karbor.Node {
	out := make(map[string][]*karbor.Node, len(g.Nodes()))
	for _, n := range g.Nodes() {
		key := n.Resource.Key()
		out[key] = append(out[key], n)
	}
	return out
}

// Staged gives the nodes of each stage.
func Staged(g *karbor.Graph, stages []karbor.RestoreStage) [][]*karbor.Node {
	nodesOf := nodesByResource(g)
	out := make([][]*karbor.Node, len(stages))
	for i, stage := range stages {
		for _, key := range stage.Resources {
			out[i] = append(out[i], nodesOf[key]...)
		}
	}
	return out
}
