package protectionservice

import (
	"fmt"
	"strings"
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
		nodesOf := nodesByResource(g)
		id := func(key string) string {
			n := nodesOf[key][0]
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
func TestChoicesAndStagesOfManyResourcesTakeWorkInProportion(t *testing.T) {
	hooks := func(karbor.ResourceType) protection.Hooks { return protection.Hooks{} }
	work := func(n int) float64 {
		g, keys := chain(n)
		stages := []karbor.RestoreStage{{Resources: keys[:0:0]}, {Resources: keys}}
		return testing.AllocsPerRun(1, func() {
			if err := checkStages(g, stages); err != nil {
				t.Fatal(err)
			}
			if _, err := chosen(g, karbor.RestoreChoices{Resources: keys}); err != nil {
				t.Fatal(err)
			}
			flow("p", g, hooks, stages...)
		})
	}
	if few, many := work(50), work(500); many > 20*few {
		t.Errorf("ten times as many resources allocate %.0f times as much", many/few)
	}
}

func TestAStageMayNotDependOnALaterOneThroughOthers(t *testing.T) {
	g, keys := chain(4)
	// The first server depends on the last volume through servers of no stage.
	err := checkStages(g, []karbor.RestoreStage{{Resources: []string{keys[0]}}, {Resources: []string{keys[7]}}})
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "depends on \""+keys[7]) {
		t.Errorf("got %v", err)
	}
	if err := checkStages(g, []karbor.RestoreStage{{Resources: []string{keys[7]}}, {Resources: []string{keys[0]}}}); err != nil {
		t.Error(err)
	}
}
