package openstack_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

func TestATrustIsFoundByItsUserProjectAndEndOnly(t *testing.T) {
	c := cloudtest.Start(t)
	id := identity(t, c, c.Tenant("alpha", "member"))
	// Centuries ahead, as one is lent that has no end for its user.
	end := time.Date(6789, 3, 2, 1, 2, 3, 0, time.UTC)
	for _, other := range []time.Time{{}, end.Add(time.Second), end.Add(-time.Second)} {
		if _, err := c.Authority.DelegateUntil(t.Context(), id, other); err != nil {
			t.Fatal(err)
		}
	}
	want, err := c.Authority.DelegateUntil(t.Context(), id, end)
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Authority.TrustsUntil(t.Context(), id.UserID, id.ProjectID, end)
	if err != nil || len(found) != 1 {
		t.Fatalf("found are %v, %v", found, err)
	}
	if diff := cmp.Diff(want, found[0]); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	for _, who := range [][2]string{{"somebody", id.ProjectID}, {id.UserID, "another"}} {
		if found, err := c.Authority.TrustsUntil(t.Context(), who[0], who[1], end); err != nil || len(found) != 0 {
			t.Errorf("of %v there are %v, %v", who, found, err)
		}
	}
	if err := c.Authority.Revoke(t.Context(), found[0]); err != nil {
		t.Error(err)
	}
	if err := c.Authority.Probe(t.Context(), want); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("when what was found is given back: %v", err)
	}
}
