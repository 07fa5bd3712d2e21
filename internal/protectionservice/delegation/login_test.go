package delegation_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

// TestLoginIntoARegionThatIsNotThereIsRefused: each hook of the restore would fail, and each Undo.
func TestLoginIntoARegionThatIsNotThereIsRefused(t *testing.T) {
	c := cloudtest.Start(t)
	u, _ := c.User("demo")
	r, err := delegation.New(delegation.Options{Authority: c.Authority, Key: make([]byte, 32), Lifetime: time.Hour, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for region, ok := range map[string]bool{"": true, "RegionOne": true, "RegionTow": false} {
		cloud, err := r.LogIn(t.Context(), delegation.Target{URL: c.URL(), Auth: openstack.PasswordAuth{
			Username: u.Name, Password: karbor.Secret(u.Password), Project: u.ProjectName, Region: region,
		}})
		if (err == nil) != ok || (cloud != nil) != ok {
			t.Errorf("region %q: %v", region, err)
		}
		if err != nil && (karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), `"RegionOne"`)) {
			t.Errorf("the tenant is told %v", err)
		}
	}
}
