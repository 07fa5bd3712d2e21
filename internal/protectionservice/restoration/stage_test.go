package restoration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

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
	work := func(n int) float64 {
		g, keys := chain(n)
		stages := []karbor.RestoreStage{{Resources: keys[:0:0]}, {Resources: keys}}
		return testing.AllocsPerRun(1, func() {
			if err := CheckStages(g, stages); err != nil {
				t.Fatal(err)
			}
			if _, err := Choose(g, karbor.RestoreChoices{Resources: keys}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := work(50), work(500); many > 20*few {
		t.Errorf("ten times as many resources allocate %.0f times as much", many/few)
	}
}

func TestAStageMayNotDependOnALaterOneThroughOthers(t *testing.T) {
	g, keys := chain(4)
	// The first server depends on the last volume through servers of no stage.
	err := CheckStages(g, []karbor.RestoreStage{{Resources: []string{keys[0]}}, {Resources: []string{keys[7]}}})
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "depends on \""+keys[7]) {
		t.Errorf("got %v", err)
	}
	if err := CheckStages(g, []karbor.RestoreStage{{Resources: []string{keys[7]}}, {Resources: []string{keys[0]}}}); err != nil {
		t.Error(err)
	}
}
