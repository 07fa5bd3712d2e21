package flow

import (
	"math"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

func TestTheEndOfAFlowIsTriedAsLongAsItCannotBeRecorded(t *testing.T) {
	g := &karbor.Graph{}
	g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v"}, "")
	some := func(karbor.ResourceType) protection.Hooks { return protection.Hooks{Main: nothing, Undo: nothing} }
	none := func(karbor.ResourceType) protection.Hooks { return protection.Hooks{} }
	for name, steps := range map[string]workflow.Steps{
		"with hooks":    Steps("project", g, some),
		"without hooks": Steps("project", g, none),
		"in place":      InPlace("project", g, some),
		"of copies":     Copies("project", []string{"offsite"}),
		"of a drill":    Drill("project", g, some, nil),
	} {
		found := 0
		for _, s := range steps {
			if s.Action != End && s.Action != Fail && s.Action != Conclude {
				continue
			}
			if found++; s.Retry.Attempts != math.MaxInt32 {
				t.Errorf("%s: step %s is tried %d times", name, s.ID, s.Retry.Attempts)
			}
		}
		if found == 0 {
			t.Errorf("%s: there is no end", name)
		}
	}
}
