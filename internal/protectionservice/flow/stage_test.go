package flow

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// drawStages puts some of a graph's resources into stages.
func drawStages(t *rapid.T, g *karbor.Graph) []karbor.RestoreStage {
	stages := make([]karbor.RestoreStage, rapid.IntRange(0, 4).Draw(t, "stages"))
	for i, n := range g.Nodes() {
		if stage := rapid.IntRange(0, len(stages)).Draw(t, fmt.Sprintf("stage of %d", i)); stage < len(stages) {
			stages[stage].Resources = append(stages[stage].Resources, n.Resource.Key())
		}
	}
	return stages
}

func TestStagedFlowKeepsTheOrderOfStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, hooks := drawGraph(t)
		stages := drawStages(t, g)
		hooksFor := func(rt karbor.ResourceType) protection.Hooks { return hooks[rt] }
		if restoration.CheckStages(g, stages) != nil {
			t.Skip("a stage holds what an earlier one depends on")
		}
		steps := Steps("p", g, hooksFor, stages...)
		var normal workflow.Steps
		for _, s := range steps {
			if s.When == workflow.Normal {
				normal = append(normal, s)
			}
		}
		over := before(t, normal)
		for id := range over {
			if id != End && !over[End][id] {
				t.Fatalf("the end does not wait for %s", id)
			}
		}
		nodes := restoration.Staged(g, stages)
		id := func(n *karbor.Node) string {
			if hooks[n.Type].Complete == nil {
				return ""
			}
			return stepID(phaseNames[complete], g, slices.Index(g.Nodes(), n))
		}
		for i := range stages {
			for j := i + 1; j < len(stages); j++ {
				for _, early := range nodes[i] {
					for _, late := range nodes[j] {
						if from, to := id(early), id(late); from != "" && to != "" && !over[to][from] {
							t.Fatalf("%s may start before %s is over", to, from)
						}
					}
				}
			}
		}
		if len(stages) < 2 && len(steps) != len(Steps("p", g, hooksFor)) {
			t.Fatal("a single stage changes the flow")
		}
	})
}

// chain gives a graph of servers, each of which depends on the next, and on a volume; and
// the keys of all.
func chain(n int) (g *karbor.Graph, keys []string) {
	g = &karbor.Graph{}
	var above *karbor.Node
	for i := range n {
		server := g.Add(karbor.Resource{Type: karbor.ServerType, ID: fmt.Sprintf("s%d", i)}, "")
		volume := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: fmt.Sprintf("v%d", i)}, "")
		g.Connect(server, volume)
		if above != nil {
			g.Connect(above, server)
		}
		above = server
		keys = append(keys, server.Resource.Key(), volume.Resource.Key())
	}
	return g, keys
}

// Work is counted in what is allocated, which the machine's load does not change.
func TestFlowOfManyStagedResourcesTakesWorkInProportion(t *testing.T) {
	hooks := func(karbor.ResourceType) protection.Hooks { return protection.Hooks{} }
	work := func(n int) float64 {
		g, keys := chain(n)
		stages := []karbor.RestoreStage{{Resources: keys[:0:0]}, {Resources: keys}}
		return testing.AllocsPerRun(1, func() {
			Steps("p", g, hooks, stages...)
		})
	}
	if few, many := work(50), work(500); many > 20*few {
		t.Errorf("ten times as many resources allocate %.0f times as much", many/few)
	}
}
