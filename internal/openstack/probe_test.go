package openstack_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

// A token that was got before hides that a trust is gone; a probe does not use it.
func TestAProbeFindsATrustThatItsUserHasDeleted(t *testing.T) {
	c := cloudtest.Start(t)
	session := c.Tenant("alpha", "member")
	d, err := c.Authority.Delegate(t.Context(), identity(t, c, session), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Authority.Resume(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := c.Authority.Probe(t.Context(), d); err != nil {
		t.Errorf("while it is there: %v", err)
	}
	client, err := openstack.Identity(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(t.Context(), client.ServiceURL("OS-TRUST", "trusts", d.TrustID), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Authority.Resume(t.Context(), d); err != nil {
		t.Logf("a session finds it too: %v", err)
	}
	if err := c.Authority.Probe(t.Context(), d); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("when it is gone: %v", err)
	}
	if err := c.Authority.Probe(t.Context(), openstack.Delegation{}); err == nil {
		t.Error("no delegation is no fault")
	}
}
