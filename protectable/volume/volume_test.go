package volume_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protectable/volume"
)

func TestPluginPassesTheSuite(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := volume.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(named map[string]string) []karbor.Resource {
		return protectabletest.Sorted(karbor.VolumeType, named)
	}
	own := sorted(map[string]string{w.Data1: "data-1", w.Data2: "data-2", w.Boot: "boot", w.Lonely: "lonely"})
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, Cloud: w.Alpha, Other: w.Beta, Admin: w.Admin,
		Listed: own, Unfit: []string{w.Broken},
		Foreign: sorted(map[string]string{w.BetaVolume: "beta-secret-volume"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()}, Dependents: protectabletest.Shared(own)},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.Web}, Dependents: protectabletest.Shared(sorted(map[string]string{w.Data1: "data-1", w.Data2: "data-2"}))},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.DB}, Dependents: protectabletest.Shared(sorted(map[string]string{w.Boot: "boot"}))},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.Orphan}, Dependents: nil},
		},
	})
}

func TestSizeIsThatOfTheVolume(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := volume.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sizer := p.(protectable.Sizer)
	size, err := sizer.Size(t.Context(), w.Alpha, karbor.Resource{Type: karbor.VolumeType, ID: w.Data1})
	if err != nil || size != 1<<30 {
		t.Errorf("got %d, %v", size, err)
	}
	for _, id := range []string{w.BetaVolume, "5f3759df-0000-4000-8000-000000000000", "../x"} {
		if _, err := sizer.Size(t.Context(), w.Alpha, karbor.Resource{Type: karbor.VolumeType, ID: id}); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s: got %v", id, err)
		}
	}
}

func TestVolumesOfAPodAreThoseOfItsClaims(t *testing.T) {
	c := cloudtest.Start(t)
	alpha, beta := c.Tenant("alpha", "member"), c.Tenant("beta", "member")
	s := cloudtest.Cluster(t)
	for _, cloud := range []karbor.Cloud{alpha, beta} {
		cloudtest.Secret(t, cloud, kubernetes.DefaultSecret, s.Kubeconfig("token", "shop"))
	}
	own, others := cloudtest.Volume(t, alpha, "data", ""), cloudtest.Volume(t, beta, "theirs", "")
	cloudtest.Pod(s, "shop", "web", "Running", own, others, karbor.NewID())
	cloudtest.Pod(s, "shop", "bad", "Running", "../x")
	p, err := volume.PluginWith(kubernetes.Options{Servers: []string{"127.0.0.1"}}).Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Dependents(t.Context(), alpha, karbor.Resource{Type: karbor.PodType, ID: kubernetes.PodID("shop", "web")})
	if err != nil || len(got) != 1 || got[0].ID != own || got[0].Private {
		t.Errorf("got %v, %v; want volume %s only", got, err, own)
	}
	for name, kind := range map[string]karbor.Kind{"none": karbor.NotFound, "bad": karbor.Invalid} {
		if _, err := p.Dependents(t.Context(), alpha, karbor.Resource{Type: karbor.PodType, ID: kubernetes.PodID("shop", name)}); err == nil || karbor.KindOf(err) != kind {
			t.Errorf("of the pod %s: %v", name, err)
		}
	}
}
