package volumesnapshot_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestAProtectForeseesTheSnapshot(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, false)
	f, err := p.Hooks(karbor.Protect, karbor.VolumeType).Preflight(t.Context(), s.Begin(tenant.Cloud, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	of, _ := tenant.Show(t, "volume", "volumes/"+from.ID, "volume")["volume_type"].(string)
	want := map[protection.Need]int64{}
	for _, need := range []protection.Need{protection.NeedSnapshots, protection.NeedGigabytes, protection.NeedGigabytes.OfSnapshots()} {
		want[need], want[need.OfVolumeType(of)] = 1, 1
	}
	if diff := cmp.Diff(want, f.Needs); diff != "" || len(f.Passing) > 0 {
		t.Errorf("passing %v; (-want +got):\n%s", f.Passing, diff)
	}
	tenant.Remove(t, "volume", "volumes/"+from.ID, "volume")
	if f, err = p.Hooks(karbor.Protect, karbor.VolumeType).Preflight(t.Context(), s.Begin(tenant.Cloud, nil, nil)); err != nil || len(f.Needs) > 0 {
		t.Errorf("of a volume that is gone: %+v, %v", f, err)
	}
}

// TestGigabytesOfSnapshotsDoNotLackWhereTheCloudDoesNotCountThem has a project use all its gigabytes.
func TestGigabytesOfSnapshotsDoNotLackWhereTheCloudDoesNotCountThem(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, quick)
	s, from := single(t, tenant, p, false)
	tenant.Make(t, "volume", "snapshots", "snapshot", map[string]any{"volume_id": from.ID, "name": "s"})
	set := func(members map[string]any, name string, n int64) {
		all, _ := members["absolute"].(map[string]any)
		all[name] = n
	}
	cloud := tenant.Session(t, &http.Client{Transport: way})
	f, err := p.Hooks(karbor.Protect, karbor.VolumeType).Preflight(t.Context(), s.Begin(cloud, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		used int64
		want int
	}{"volumes and snapshots are counted": {2, 1}, "only volumes are": {1, 0}} {
		way.Say("/limits$", func(members map[string]any) {
			set(members, "maxTotalVolumeGigabytes", test.used)
			set(members, "totalGigabytesUsed", test.used)
		})
		if got, err := openstack.Shortages(t.Context(), cloud, "the checkpoint", f.Needs); err != nil || len(got) != test.want {
			t.Errorf("where %s: %q, %v", what, got, err)
		}
	}
}
