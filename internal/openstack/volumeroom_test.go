package openstack_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

func TestEachQuotaOfVolumesThatDoesNotSufficeIsTold(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	for name, limit := range map[string]int{
		"volumes": 2, "snapshots": 3, "gigabytes": 40, "backups": 4, "backup_gigabytes": 50, "snapshots_standard": 1, "gigabytes_standard": 10, "volumes_luks": 0,
	} {
		c.Quotas().Set(demo.ProjectID(), name, limit)
	}
	for name, test := range map[string]struct {
		needs map[protection.Need]int64
		want  []string
	}{
		"enough": {map[protection.Need]int64{
			protection.NeedVolumes: 2, protection.NeedSnapshots: 3, protection.NeedGigabytes: 40, protection.NeedGigabytes.OfSnapshots(): 20, protection.NeedBackups: 4,
			protection.NeedBackupGigabytes: 50, protection.NeedSnapshots.OfVolumeType("standard"): 1, protection.NeedVolumes.OfVolumeType("standard"): 1000,
		}, nil},
		"too little of all": {map[protection.Need]int64{
			protection.NeedVolumes: 3, protection.NeedSnapshots: 4, protection.NeedGigabytes: 41, protection.NeedBackups: 5, protection.NeedBackupGigabytes: 51,
		}, []string{
			`the quota "backup_gigabytes" does not suffice: the checkpoint needs 51, and 50 of 50 are left`,
			`the quota "backups" does not suffice: the checkpoint needs 5, and 4 of 4 are left`,
			`the quota "gigabytes" does not suffice: the checkpoint needs 41, and 40 of 40 are left`,
			`the quota "snapshots" does not suffice: the checkpoint needs 4, and 3 of 3 are left`,
			`the quota "volumes" does not suffice: the checkpoint needs 3, and 2 of 2 are left`,
		}},
		"too little of types": {map[protection.Need]int64{
			protection.NeedSnapshots.OfVolumeType("standard"): 2, protection.NeedGigabytes.OfVolumeType("standard"): 11, protection.NeedVolumes.OfVolumeType("luks"): 1,
		}, []string{
			`the quota "gigabytes" for the volume type "standard" does not suffice: the checkpoint needs 11, and 10 of 10 are left`,
			`the quota "snapshots" for the volume type "standard" does not suffice: the checkpoint needs 2, and 1 of 1 are left`,
			`the quota "volumes" for the volume type "luks" does not suffice: the checkpoint needs 1, and 0 of 0 are left`,
		}},
		"a type that is not there": {map[protection.Need]int64{protection.NeedVolumes.OfVolumeType("none-such"): 1000}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openstack.Shortages(t.Context(), demo, "the checkpoint", test.needs)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v; (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestQuotasOfVolumesAreReadOncePerServiceAndSufficeIfTheyAreNotTold(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	c.Quotas().Set(demo.ProjectID(), "snapshots", 0)
	c.Quotas().Set(demo.ProjectID(), "snapshots_standard", 0)
	needs := map[protection.Need]int64{
		protection.NeedSnapshots: 1, protection.NeedVolumes: 1, protection.NeedGigabytes: 1,
		protection.NeedSnapshots.OfVolumeType("standard"): 1, protection.NeedVolumes.OfVolumeType("luks"): 1,
	}
	for path, left := range map[string]int{"/limits$": 1, "/os-quota-sets/": 1, "/limits$|/os-quota-sets/": 0} {
		for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
			id, err := c.Faults().Add(fabric.Fault{Service: "cinder", Path: path, Status: status, Message: "Not for you."})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := openstack.Shortages(t.Context(), demo, "the checkpoint", needs); err != nil || len(got) != left {
				t.Errorf("an answer of %d to %s gives %q, %v", status, path, got, err)
			}
			c.Faults().Remove(id)
		}
	}
	c.Requests().Reset()
	if got, err := openstack.Shortages(t.Context(), demo, "the checkpoint", needs); err != nil || len(got) != 2 {
		t.Errorf("got %q, %v", got, err)
	}
	asked := 0
	for _, n := range c.Requests().Counts() {
		asked += n
	}
	if asked != 2 {
		t.Errorf("the cloud was asked %v", c.Requests().Counts())
	}
}
