package restoration

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func TestWhatDecidesOfAResourceSaysOfItWhatAllRecordsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &karbor.Graph{}
		var rows []store.ResourceRecord
		for i := range rapid.IntRange(1, 10).Draw(t, "nodes") {
			n := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: fmt.Sprintf("r%d", i)}, "")
			for _, earlier := range g.Nodes()[:i] {
				if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
					g.Connect(n, earlier)
				}
			}
			row := store.ResourceRecord{Key: n.Key(), Started: rapid.Bool().Draw(t, "started"), State: karbor.ResourceError}
			if rapid.Bool().Draw(t, "whole") {
				row.State = karbor.ResourceAvailable
			}
			rows = append(rows, row)
		}
		kept := Kept(g, rows)
		for _, n := range g.Nodes() {
			keys := Deciding(g, n)
			deciding := slices.DeleteFunc(slices.Clone(rows), func(r store.ResourceRecord) bool { return !slices.Contains(keys, r.Key) })
			if len(deciding) != len(keys) || Stays(n, deciding) != kept[n.Key()] {
				t.Fatalf("%s stays is %t by %v, and %t by all", n.Key(), Stays(n, deciding), keys, kept[n.Key()])
			}
		}
	})
}
