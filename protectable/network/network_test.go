package network_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable/network"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

func TestPluginPassesTheSuite(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := network.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(named map[string]string) []karbor.Resource {
		return protectabletest.Sorted(karbor.NetworkType, named)
	}
	topology := func(c karbor.Cloud, name string) []karbor.Resource {
		return []karbor.Resource{{Type: karbor.NetworkType, ID: c.ProjectID(), Name: "Network topology of " + name}}
	}
	both := sorted(map[string]string{w.Front: "front", w.Back: "back"})
	own := append(topology(w.Alpha, "alpha"), both...)
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, Cloud: w.Alpha, Other: w.Beta, Admin: w.Admin,
		Listed:  own,
		Foreign: append(topology(w.Beta, "beta"), sorted(map[string]string{w.BetaNetwork: "beta-secret-network"})...),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()}, Dependents: protectabletest.Shared(topology(w.Alpha, "alpha"))},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.Web}, Dependents: protectabletest.Shared(both)},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.DB}, Dependents: protectabletest.Shared(sorted(map[string]string{w.Front: "front"}))},
		},
	})
}
