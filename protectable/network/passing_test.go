package network_test

import (
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/network"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

func TestNetworksOfADrillAreNotOffered(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := network.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.Network(t.Context(), w.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	id := karbor.NewID()
	for name, c := range map[string]struct {
		description string
		tags        []string
		listed      bool
	}{
		"of a drill, not tagged yet": {protection.DrillText(id, "0123456789abcdef", "network for x"), nil, false},
		"of a drill, described anew": {"mine", []string{protection.OwnerMark(id), protection.DrillMark("0123456789abcdef")}, false},
		"not wholly restored":        {protection.RestoringMark("0123456789abcdef") + " " + protection.OwnerMark(id) + "-x", nil, true},
		"described by its tenant":    {"karbor drill 1: of us", []string{"karbor"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := networks.Create(t.Context(), client, networks.CreateOpts{Name: "net", Description: c.description}).Extract()
			if err != nil {
				t.Fatal(err)
			}
			if c.tags != nil {
				if err := attributestags.ReplaceAll(t.Context(), client, "networks", n.ID, attributestags.ReplaceAllOpts{Tags: c.tags}).Err; err != nil {
					t.Fatal(err)
				}
			}
			list, err := p.List(t.Context(), w.Alpha, protectable.Query{})
			if err != nil {
				t.Fatal(err)
			}
			if offers := slices.ContainsFunc(list, func(r karbor.Resource) bool { return r.ID == n.ID }); offers != c.listed {
				t.Errorf("the tenant is offered it: %t; want %t", offers, c.listed)
			}
		})
	}
}
