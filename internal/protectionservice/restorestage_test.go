package protectionservice

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
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
		if checkStages(g, stages) != nil {
			t.Skip("a stage holds what an earlier one depends on")
		}
		steps := flow("p", g, hooksFor, stages...)
		var normal workflow.Steps
		for _, s := range steps {
			if s.When == workflow.Normal {
				normal = append(normal, s)
			}
		}
		over := before(t, normal)
		for id := range over {
			if id != actionEnd && !over[actionEnd][id] {
				t.Fatalf("the end does not wait for %s", id)
			}
		}
		id := func(key string) string {
			n := nodesOf(g, key)[0]
			if hooks[n.Type].Complete == nil {
				return ""
			}
			for i, m := range g.Nodes() {
				if m == n {
					return stepID(phaseNames[complete], g, i)
				}
			}
			return ""
		}
		for i := range stages {
			for j := i + 1; j < len(stages); j++ {
				for _, early := range stages[i].Resources {
					for _, late := range stages[j].Resources {
						if from, to := id(early), id(late); from != "" && to != "" && !over[to][from] {
							t.Fatalf("%s may start before %s is over", to, from)
						}
					}
				}
			}
		}
		if len(stages) < 2 && len(steps) != len(flow("p", g, hooksFor)) {
			t.Fatal("a single stage changes the flow")
		}
	})
}
