package server_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protectable/server"
)

func TestPluginPassesTheSuite(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := server.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	own := protectabletest.Sorted(karbor.ServerType, map[string]string{w.Web: "web", w.DB: "db", w.Orphan: "orphan"})
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, Cloud: w.Alpha, Other: w.Beta, Admin: w.Admin,
		Listed: own, Unfit: []string{w.Failed},
		Foreign: protectabletest.Sorted(karbor.ServerType, map[string]string{w.BetaServer: "beta-secret-server"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()}, Dependents: protectabletest.Shared(own)},
		},
	})
}
