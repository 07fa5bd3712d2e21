package image_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/image"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

// upload makes an image with a byte.
func upload(t *testing.T, w *cloudtest.World, opts images.CreateOpts) string {
	t.Helper()
	client, err := openstack.Image(t.Context(), w.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	opts.DiskFormat, opts.ContainerFormat = "raw", "bare"
	i, err := images.Create(t.Context(), client, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := openstack.UploadImage(t.Context(), client, i.ID, bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	return i.ID
}

func ids(list []karbor.Resource) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.ID)
	}
	return out
}

func TestProjectHasItsHiddenImagesAndNoneThatKarborHasForAWhile(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := image.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	g, yes := &karbor.Graph{}, true
	call := protection.Call{
		Owner: karbor.NewID(), Installation: "0123456789abcdef", ProviderID: karbor.NewID(),
		Node: g.Add(karbor.Resource{Type: karbor.VolumeType, ID: w.Data1}, ""),
	}
	drill := call
	drill.Drill = true
	for name, c := range map[string]struct {
		opts   images.CreateOpts
		listed bool
	}{
		"hidden":                             {images.CreateOpts{Name: "old-golden", Hidden: &yes}, true},
		"temporary":                          {images.CreateOpts{Name: call.Name(), Properties: call.TemporaryTags()}, false},
		"temporary, and not marked yet":      {images.CreateOpts{Name: call.Name()}, false},
		"which a drill reads":                {images.CreateOpts{Name: "karbor-drill-" + call.Owner + "-" + w.Data1}, false},
		"of a drill":                         {images.CreateOpts{Name: "karbor-drill-" + call.Owner[:8] + "-disk", Properties: drill.Tags()}, false},
		"hidden, of a drill":                 {images.CreateOpts{Name: "karbor-drill-" + call.Owner[:8] + "-disk", Properties: drill.Tags(), Hidden: &yes}, false},
		"restored":                           {images.CreateOpts{Name: "disk", Properties: call.Tags()}, true},
		"with the properties of a temporary": {images.CreateOpts{Name: "made of mine", Properties: call.TemporaryTags()}, true},
		"named karbor by its tenant":         {images.CreateOpts{Name: "karbor-drill-notes"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			id := upload(t, w, c.opts)
			all, err := p.Dependents(t.Context(), w.Alpha, karbor.Resource{Type: karbor.ProjectType, ID: w.Alpha.ProjectID()})
			if err != nil {
				t.Fatal(err)
			}
			list, err := p.List(t.Context(), w.Alpha, protectable.Query{})
			if err != nil {
				t.Fatal(err)
			}
			protects := slices.ContainsFunc(all, func(d protectable.Dependent) bool { return d.ID == id })
			if offers := slices.Contains(ids(list), id); protects != c.listed || offers != c.listed {
				t.Errorf("a plan of the project protects it: %t; the tenant is offered it: %t; want %t", protects, offers, c.listed)
			}
		})
	}
}

// TestPagesOfHiddenAndOtherImagesJoin reads the list in pages of each length.
func TestPagesOfHiddenAndOtherImagesJoin(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := image.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{w.Disk, w.Spare}
	for i := range 6 {
		hidden := i%2 == 0
		want = append(want, upload(t, w, images.CreateOpts{Name: "one", Hidden: &hidden}))
	}
	slices.Sort(want)
	for limit := range len(want) + 2 {
		var got []string
		for marker := ""; ; marker = got[len(got)-1] {
			list, err := p.List(t.Context(), w.Alpha, protectable.Query{Limit: limit, Marker: marker})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(list)...)
			if limit == 0 || len(list) < limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: got %v, want %v", limit, got, want)
		}
	}
}
