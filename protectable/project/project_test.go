package project_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable/project"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

func TestPluginPassesTheSuite(t *testing.T) {
	c := cloudtest.Start(t)
	alpha, beta, admin := c.Tenant("alpha", "member"), c.Tenant("beta", "member"), c.Tenant("gamma", "admin")
	p, err := project.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, Cloud: alpha, Other: beta, Admin: admin,
		Listed:  []karbor.Resource{{Type: karbor.ProjectType, ID: alpha.ProjectID(), Name: "alpha"}},
		Foreign: []karbor.Resource{{Type: karbor.ProjectType, ID: beta.ProjectID(), Name: "beta"}},
	})
}
