package share_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protectable/share"
)

// world is two tenants' shares.
type world struct {
	alpha, beta, admin            karbor.Cloud
	first, second, broken, others string
}

func newWorld(t *testing.T) world {
	t.Helper()
	c := cloudtest.Start(t)
	w := world{alpha: c.Tenant("alpha", "member", "reader"), beta: c.Tenant("beta", "member", "reader"), admin: c.Tenant("gamma", "admin")}
	w.first = cloudtest.Share(t, w.alpha, "files")
	w.second = cloudtest.Share(t, w.alpha, "more files")
	w.broken = cloudtest.Share(t, w.alpha, "broken")
	cloudtest.SetShareStatus(t, w.admin, w.broken, "error")
	w.others = cloudtest.Share(t, w.beta, "beta-secret-share")
	return w
}

func open(t *testing.T) protectable.Plugin {
	t.Helper()
	p, err := share.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPluginPassesTheSuite(t *testing.T) {
	w := newWorld(t)
	own := protectabletest.Sorted(karbor.ShareType, map[string]string{w.first: "files", w.second: "more files"})
	protectabletest.Run(t, protectabletest.Case{
		Plugin: open(t), Cloud: w.alpha, Other: w.beta, Admin: w.admin,
		Listed: own, Unfit: []string{w.broken},
		Foreign: protectabletest.Sorted(karbor.ShareType, map[string]string{w.others: "beta-secret-share"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.alpha.ProjectID()}, Dependents: protectabletest.Shared(own)},
		},
	})
}

func TestPublicShareOfAnotherProjectIsNotFound(t *testing.T) {
	w := newWorld(t)
	cloudtest.PublishShare(t, w.admin, w.others)
	if _, err := open(t).Show(t.Context(), w.alpha, w.others, nil); karbor.KindOf(err) != karbor.NotFound || err == nil {
		t.Errorf("got %v", err)
	}
}

func TestSizeIsThatOfTheShare(t *testing.T) {
	w := newWorld(t)
	sizer := open(t).(protectable.Sizer)
	size, err := sizer.Size(t.Context(), w.alpha, karbor.Resource{Type: karbor.ShareType, ID: w.first})
	if err != nil || size != 1<<30 {
		t.Errorf("got %d, %v", size, err)
	}
	for _, id := range []string{w.others, karbor.NewID(), "../x"} {
		if _, err := sizer.Size(t.Context(), w.alpha, karbor.Resource{Type: karbor.ShareType, ID: id}); err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s: got %v", id, err)
		}
	}
}
