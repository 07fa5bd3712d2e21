package image_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/image"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

func TestPluginPassesTheSuite(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := image.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(named map[string]string) []karbor.Resource {
		return protectabletest.Sorted(karbor.ImageType, named)
	}
	own := sorted(map[string]string{w.Disk: "disk", w.Spare: "spare"})
	private := func(id, name string) []protectable.Dependent {
		return []protectable.Dependent{{Resource: karbor.Resource{Type: karbor.ImageType, ID: id, Name: name}, Private: true}}
	}
	protectabletest.Run(t, protectabletest.Case{
		Plugin: p, Cloud: w.Alpha, Other: w.Beta, Admin: w.Admin,
		Listed: own, Unfit: []string{w.Queued, w.Gone},
		Foreign: sorted(map[string]string{w.BetaImage: "beta-secret-image"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()}, Dependents: protectabletest.Shared(own)},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.Web}, Dependents: private(w.Disk, "disk")},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.DB}, Dependents: nil},
			{Parent: karbor.Resource{Type: karbor.ServerType, ID: w.Orphan}, Dependents: private(w.Gone, "")},
		},
	})
}

func TestSizeIsThatOfTheImage(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := image.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sizer := p.(protectable.Sizer)
	data := make([]byte, 12345)
	id := cloudtest.Image(t, w.Alpha, "sized", data)
	size, err := sizer.Size(t.Context(), w.Alpha, karbor.Resource{Type: karbor.ImageType, ID: id})
	if err != nil || size != int64(len(data)) {
		t.Errorf("got %d, %v", size, err)
	}
	for _, id := range []string{w.Gone, w.BetaImage, "../x"} {
		if _, err := sizer.Size(t.Context(), w.Alpha, karbor.Resource{Type: karbor.ImageType, ID: id}); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s: got %v", id, err)
		}
	}
}
