package server_test

import (
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/tags"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protectable/server"
	"github.com/karbor/karbor/protection"
)

func TestServersOfADrillAreNoneOfTheProjects(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := server.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.Compute(t.Context(), w.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	owner := protection.OwnerMark(karbor.NewID())
	for name, c := range map[string]struct {
		tags   []string
		listed bool
	}{
		"of a drill":           {[]string{owner, protection.DrillMark("0123456789abcdef")}, false},
		"not wholly restored":  {[]string{owner, protection.RestoringMark("0123456789abcdef")}, true},
		"tagged by its tenant": {[]string{"karbor", "gold"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			id := cloudtest.Server(t, w.Alpha, cloudtest.ServerSpec{Name: "web", ImageID: w.Disk, Networks: []string{w.Front}})
			if err := tags.ReplaceAll(t.Context(), client, id, tags.ReplaceAllOpts{Tags: c.tags}).Err; err != nil {
				t.Fatal(err)
			}
			all, err := p.Dependents(t.Context(), w.Alpha, karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()})
			if err != nil {
				t.Fatal(err)
			}
			list, err := p.List(t.Context(), w.Alpha, protectable.Query{})
			if err != nil {
				t.Fatal(err)
			}
			protects := slices.ContainsFunc(all, func(d protectable.Dependent) bool { return d.ID == id })
			offers := slices.ContainsFunc(list, func(r karbor.Resource) bool { return r.ID == id })
			if protects != c.listed || offers != c.listed {
				t.Errorf("a plan of the project protects it: %t; the tenant is offered it: %t; want %t", protects, offers, c.listed)
			}
		})
	}
}
