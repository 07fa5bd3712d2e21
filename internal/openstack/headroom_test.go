package openstack_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

// setShareQuotas gives a session's project other quotas of Manila, of one share type if kind is not "".
func setShareQuotas(t *testing.T, c *cloudtest.Cloud, of karbor.Cloud, kind string, quotas map[string]any) {
	t.Helper()
	client, err := openstack.SharedFileSystems(t.Context(), c.Session("admin"))
	if err != nil {
		t.Fatal(err)
	}
	place := client.ServiceURL("quota-sets", of.ProjectID())
	if kind != "" {
		place += "?share_type=" + kind
	}
	if _, err := client.Put(t.Context(), place, map[string]any{"quota_set": quotas}, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}}); err != nil {
		t.Fatal(err)
	}
}

func TestEachQuotaOfSharesThatDoesNotSufficeIsTold(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	setShareQuotas(t, c, demo, "", map[string]any{"shares": 2, "gigabytes": 10, "snapshots": 4, "snapshot_gigabytes": 6})
	setShareQuotas(t, c, demo, "frozen", map[string]any{"shares": 1, "snapshot_gigabytes": 5})
	for name, test := range map[string]struct {
		needs map[protection.Need]int64
		want  []string
	}{
		"none": {nil, nil},
		"enough": {map[protection.Need]int64{protection.NeedShares: 2, protection.NeedShareGigabytes: 10, protection.NeedShareSnapshots: 4,
			protection.NeedShareSnapshotGigabytes: 6, protection.NeedShares.OfShareType("frozen"): 1}, nil},
		"too little of all": {map[protection.Need]int64{protection.NeedShares: 3, protection.NeedShareGigabytes: 11, protection.NeedShareSnapshots: 5,
			protection.NeedShareSnapshotGigabytes: 7}, []string{
			`the quota "gigabytes" of the shared file systems does not suffice: the restore needs 11, and 10 of 10 are left`,
			`the quota "shares" does not suffice: the restore needs 3, and 2 of 2 are left`,
			`the quota "snapshot_gigabytes" does not suffice: the restore needs 7, and 6 of 6 are left`,
			`the quota "snapshots" of the shared file systems does not suffice: the restore needs 5, and 4 of 4 are left`,
		}},
		"too little of a type": {map[protection.Need]int64{protection.NeedShares: 2, protection.NeedShares.OfShareType("frozen"): 2,
			protection.NeedShareSnapshotGigabytes.OfShareType("frozen"): 6}, []string{
			`the quota "shares" for the share type "frozen" does not suffice: the restore needs 2, and 1 of 1 are left`,
			`the quota "snapshot_gigabytes" for the share type "frozen" does not suffice: the restore needs 6, and 5 of 5 are left`,
		}},
		"a type without a quota of its own is told as all": {map[protection.Need]int64{protection.NeedShares: 3, protection.NeedShares.OfShareType("plain"): 3},
			[]string{`the quota "shares" does not suffice: the restore needs 3, and 2 of 2 are left`}},
		"a type that is not there": {map[protection.Need]int64{protection.NeedShares: 1, protection.NeedShares.OfShareType("none-such"): 1000}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openstack.Shortages(t.Context(), demo, "the restore", test.needs)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v; (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestUnlimitedQuotaOfSharesLeavesThatOfTheirType(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	setShareQuotas(t, c, demo, "", map[string]any{"shares": -1})
	setShareQuotas(t, c, demo, "frozen", map[string]any{"shares": 1})
	needs := map[protection.Need]int64{protection.NeedShares: 500, protection.NeedShares.OfShareType("frozen"): 2, protection.NeedShares.OfShareType("plain"): 498}
	got, err := openstack.Shortages(t.Context(), demo, "the restore", needs)
	want := []string{`the quota "shares" for the share type "frozen" does not suffice: the restore needs 2, and 1 of 1 are left`}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
}

func TestQuotasThatAreNotToldSuffice(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	setShareQuotas(t, c, demo, "", map[string]any{"shares": 0, "per_share_gigabytes": 1})
	needs := map[protection.Need]int64{protection.NeedShares: 1, protection.NeedShares.OfShareType("plain"): 1}
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		id, err := c.Faults().Add(fabric.Fault{Service: "manila", Path: "/limits$|/quota-sets/", Status: status, Message: "Not for you."})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := openstack.Shortages(t.Context(), demo, "the restore", needs); err != nil || len(got) > 0 {
			t.Errorf("an answer of %d gives %q, %v", status, got, err)
		}
		if most, err := openstack.Largest(t.Context(), demo, protection.NeedShareSize); err != nil || most >= 0 {
			t.Errorf("an answer of %d gives a largest share of %d GiB, %v", status, most, err)
		}
		c.Faults().Remove(id)
	}
	if most, err := openstack.Largest(t.Context(), demo, protection.NeedShareSize); err != nil || most != 1 {
		t.Errorf("the largest share has %d GiB, %v", most, err)
	}
}

func TestOnlyServicesWhoseQuotasAreNeededAreAsked(t *testing.T) {
	c := cloudtest.Start(t)
	demo := c.Tenant("alpha", "member")
	for _, service := range []string{"nova", "cinder", "neutron", "manila"} {
		if _, err := c.Faults().Add(fabric.Fault{Service: service, Path: "/limits$|/quotas/", Status: http.StatusBadRequest, Message: "Not so."}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openstack.Shortages(t.Context(), demo, "the restore", nil); err != nil {
		t.Errorf("of no need: %v", err)
	}
	for _, need := range []protection.Need{protection.NeedCores, protection.NeedGigabytes, protection.NeedPorts, protection.NeedShareGigabytes} {
		if _, err := openstack.Shortages(t.Context(), demo, "the restore", map[protection.Need]int64{need: 1}); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("the service that has the quota %s gives %v", need, err)
		}
	}
}
