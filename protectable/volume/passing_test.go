package volume_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
)

// TestWhatKarborHasForAWhileIsNoneOfTheProjects has volumes of other operations be there when a plan of the
// whole project is protected.
func TestWhatKarborHasForAWhileIsNoneOfTheProjects(t *testing.T) {
	w := cloudtest.NewWorld(t)
	p, err := volume.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.BlockStorage(t.Context(), w.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	g := &karbor.Graph{}
	call := protection.Call{
		Owner: karbor.NewID(), Installation: "0123456789abcdef", ProviderID: karbor.NewID(),
		Node: g.Add(karbor.Resource{Type: karbor.VolumeType, ID: w.Data1}, ""),
	}
	drill := call
	drill.Drill = true
	for name, c := range map[string]struct {
		title    string
		metadata map[string]string
		listed   bool
	}{
		"temporary":                             {call.Name(), call.TemporaryTags(), false},
		"of a drill":                            {"karbor-drill-" + call.Owner[:8] + "-data", drill.Tags(), false},
		"restored":                              {"data", call.Tags(), true},
		"not wholly restored":                   {"data", call.RestoringTags(), true},
		"with the metadata of a temporary":      {"copy of mine", call.TemporaryTags(), true},
		"named like a temporary, and no more":   {call.Name(), nil, true},
		"named by its tenant, with tags so far": {"karbor-mine", map[string]string{"tier": "gold"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := volumes.Create(t.Context(), client, volumes.CreateOpts{Name: c.title, Size: 1, Metadata: c.metadata}, nil).Extract()
			if err != nil {
				t.Fatal(err)
			}
			err = openstack.Poll(t.Context(), "volume", time.Second, func(ctx context.Context) (bool, error) {
				v, err := volumes.Get(ctx, client, made.ID).Extract()
				return err == nil && v.Status == "available", err
			})
			if err != nil {
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
			protects := slices.ContainsFunc(all, func(d protectable.Dependent) bool { return d.ID == made.ID })
			offers := slices.ContainsFunc(list, func(r karbor.Resource) bool { return r.ID == made.ID })
			if protects != c.listed || offers != c.listed {
				t.Errorf("a plan of the project protects it: %t; the tenant is offered it: %t; want %t", protects, offers, c.listed)
			}
		})
	}
}
