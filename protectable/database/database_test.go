package database_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/database"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

// world is two tenants' database instances.
type world struct {
	alpha, beta, admin                       karbor.Cloud
	first, second, broken, clustered, others string
}

func newWorld(t *testing.T) world {
	t.Helper()
	c := cloudtest.Start(t)
	w := world{alpha: c.Tenant("alpha", "member", "reader"), beta: c.Tenant("beta", "member", "reader"), admin: c.Tenant("gamma", "admin")}
	w.first = cloudtest.Database(t, w.alpha, "shop", nil)
	w.second = cloudtest.Database(t, w.alpha, "stock", map[string]any{"datastore": map[string]any{"type": "postgresql"}})
	w.broken = cloudtest.Database(t, w.alpha, "broken", nil)
	cloudtest.BreakDatabase(t, w.admin, w.broken)
	w.clustered = cloudtest.Database(t, w.alpha, "of a cluster", map[string]any{"x-cluster": karbor.NewID()})
	w.others = cloudtest.Database(t, w.beta, "beta-secret-database", nil)
	return w
}

func open(t *testing.T) protectable.Plugin {
	t.Helper()
	p, err := database.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPluginPassesTheSuite(t *testing.T) {
	w := newWorld(t)
	own := protectabletest.Sorted(karbor.DatabaseType, map[string]string{w.first: "shop", w.second: "stock"})
	protectabletest.Run(t, protectabletest.Case{
		Plugin: open(t), Cloud: w.alpha, Other: w.beta, Admin: w.admin,
		Listed: own, Unfit: []string{w.broken, w.clustered},
		Foreign: protectabletest.Sorted(karbor.DatabaseType, map[string]string{w.others: "beta-secret-database"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.alpha.ProjectID()}, Dependents: protectabletest.Shared(own)},
		},
	})
}

func TestMoreInstancesThanOnePageAreAllListed(t *testing.T) {
	alpha := cloudtest.Start(t).Tenant("alpha", "member")
	want := map[string]string{}
	for range 23 {
		want[cloudtest.Database(t, alpha, "shop", nil)] = "shop"
	}
	got, err := open(t).List(t.Context(), alpha, protectable.Query{})
	if err != nil || len(got) != len(want) {
		t.Errorf("got %d instances, %v; want %d", len(got), err, len(want))
	}
}

func TestSizeIsThatOfTheVolume(t *testing.T) {
	w := newWorld(t)
	sizer := open(t).(protectable.Sizer)
	size, err := sizer.Size(t.Context(), w.alpha, karbor.Resource{Type: karbor.DatabaseType, ID: w.first})
	if err != nil || size != 1<<30 {
		t.Errorf("got %d, %v", size, err)
	}
	for _, id := range []string{w.others, karbor.NewID(), "../x"} {
		if _, err := sizer.Size(t.Context(), w.alpha, karbor.Resource{Type: karbor.DatabaseType, ID: id}); err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s: got %v", id, err)
		}
	}
}
