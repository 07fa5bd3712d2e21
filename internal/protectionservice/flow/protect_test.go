package flow

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

func TestTheCountComesBeforeAllHooksOfAProtectThatForesees(t *testing.T) {
	g := &karbor.Graph{}
	g.Connect(g.Add(karbor.Resource{Type: karbor.ServerType, ID: "s"}, ""), g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v"}, ""))
	foresees := func(context.Context, *protection.Call) (*protection.Forecast, error) { return nil, nil }
	for name, volumes := range map[string]protection.Hooks{
		"nobody foresees":         {PrepareFinish: nothing, Main: nothing},
		"the volume's does":       {PrepareFinish: nothing, Main: nothing, Preflight: foresees},
		"one without other hooks": {Preflight: foresees},
	} {
		t.Run(name, func(t *testing.T) {
			steps := Protect("p", g, func(kind karbor.ResourceType) protection.Hooks {
				if kind == karbor.VolumeType {
					return volumes
				}
				return protection.Hooks{PrepareBegin: nothing, Main: nothing}
			})
			counted := map[string]bool{}
			for _, s := range steps {
				if s.ID == Count {
					counted[s.ID] = true
				}
				for _, before := range s.After {
					counted[s.ID] = counted[s.ID] || counted[before]
				}
				if want := volumes.Preflight != nil; s.When == workflow.Normal && s.ID != Begin && counted[s.ID] != want {
					t.Errorf("step %s comes after the count: %t, want %t", s.ID, counted[s.ID], want)
				}
			}
		})
	}
}
