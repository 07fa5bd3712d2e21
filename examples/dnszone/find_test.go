package dnszone_test

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/examples/dnszone"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestZonesAreFound(t *testing.T) {
	c := newCloud(t)
	alpha, beta := c.session(t, "alpha", http.DefaultClient), c.session(t, "beta", http.DefaultClient)
	shop, blog := c.add(t, "alpha", "shop.example.", nil), c.add(t, "alpha", "blog.example.", nil)
	going := c.add(t, "alpha", "going.example.", map[string]any{"status": "ERROR", "action": "DELETE"})
	copied := c.add(t, "alpha", "copied.example.", map[string]any{"type": "SECONDARY"})
	others := c.add(t, "beta", "beta-secret.example.", nil)
	p, err := dnszone.Protectable.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	own := protectabletest.Sorted(dnszone.Type, map[string]string{shop: "shop.example.", blog: "blog.example."})
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, NewType: true,
		Cloud: alpha, Other: beta, Admin: c.session(t, admin, http.DefaultClient),
		Listed: own, Unfit: []string{going, copied},
		Foreign: protectabletest.Sorted(dnszone.Type, map[string]string{others: "beta-secret.example."}),
		Families: []protectabletest.Family{{
			Parent:     karbor.Resource{Type: karbor.ProjectType, ID: alpha.ProjectID()},
			Dependents: protectabletest.Shared(own),
		}},
	})
}

func TestCloudThatListsZonesTwiceHasOneOfEach(t *testing.T) {
	c := newCloud(t)
	id := c.add(t, "alpha", "shop.example.", nil)
	p, err := dnszone.Protectable.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	session := c.session(t, "alpha", &http.Client{Transport: protectiontest.Doubling{}})
	list, err := p.List(t.Context(), session, protectable.Query{})
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("got %v, %v", list, err)
	}
}
