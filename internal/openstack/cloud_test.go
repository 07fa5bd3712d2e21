package openstack_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

// identity validates the token of a session. The session sends it to a listener of
// the test's own, as it is not to be had in any other way.
func identity(t *testing.T, c *cloudtest.Cloud, session karbor.Cloud) *karbor.Identity {
	t.Helper()
	client, err := openstack.Identity(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	spy := listen(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Get("X-Auth-Token") })
	if _, err := client.Get(t.Context(), spy, nil, nil); err != nil {
		t.Fatal(err)
	}
	id, err := c.Authority.Validate(t.Context(), karbor.Secret(<-seen))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// listsServers tells whether a session may list servers.
func listsServers(ctx context.Context, c karbor.Cloud) error {
	client, err := openstack.Compute(ctx, c)
	if err != nil {
		return err
	}
	_, err = servers.List(client, nil).AllPages(ctx)
	return openstack.Explain(err, "listing servers")
}

// TestTrustsOfOneMomentAllEnd has more operations begin at once than there are seconds
// between: Keystone takes no two trusts of a user that end in the same.
func TestTrustsOfOneMomentAllEnd(t *testing.T) {
	c := cloudtest.Start(t)
	id := identity(t, c, c.Tenant("alpha", "member"))
	seen := map[time.Time]bool{}
	for range 50 {
		d, err := c.Authority.Delegate(t.Context(), id, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if life := time.Until(d.ExpiresAt); life < 24*time.Hour-time.Minute || life > 25*time.Hour {
			t.Errorf("a trust for a day ends after %s", life)
		}
		if seen[d.ExpiresAt] {
			t.Errorf("two trusts end at %s", d.ExpiresAt)
		}
		seen[d.ExpiresAt] = true
	}
}

func TestTrustLivesFromDelegateToRevoke(t *testing.T) {
	c := cloudtest.Start(t)
	session := c.Tenant("alpha", "member", "reader")
	id := identity(t, c, session)
	if !id.CanDelegate || id.ProjectName != "alpha" || !id.HasRole("member") {
		t.Fatalf("got %+v", id)
	}
	d, err := c.Authority.Delegate(t.Context(), id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	d, err = openstack.DecodeDelegation(d.Encode())
	if err != nil {
		t.Fatal(err)
	}
	through, err := c.Authority.Resume(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := listsServers(t.Context(), through); err != nil {
		t.Fatal(err)
	}
	if through.ProjectID() != id.ProjectID || through.UserID() != id.UserID {
		t.Errorf("acts as %s in %s", through.UserID(), through.ProjectID())
	}
	second := identity(t, c, through)
	if second.CanDelegate || second.UserID != id.UserID {
		t.Errorf("through the trust: %+v", second)
	}
	if _, err := c.Authority.Delegate(t.Context(), second, 0); karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("a trust through a trust: %v", err)
	}
	for range 2 {
		if err := c.Authority.Revoke(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Authority.Resume(t.Context(), d); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestApplicationCredentialActsForItsUser(t *testing.T) {
	c := cloudtest.Start(t)
	session := c.Tenant("alpha", "member")
	client, err := openstack.Identity(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	made, err := applicationcredentials.Create(t.Context(), client, session.UserID(), applicationcredentials.CreateOpts{Name: "karbor"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	through, err := c.Authority.Resume(t.Context(), openstack.Delegation{
		ApplicationCredentialID: made.ID, Secret: karbor.Secret(made.Secret),
		ProjectID: session.ProjectID(), UserID: session.UserID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := listsServers(t.Context(), through); err != nil {
		t.Error(err)
	}
	if id := identity(t, c, through); id.CanDelegate {
		t.Errorf("got %+v", id)
	}
}

func TestServiceUsersSessionIsItsOwn(t *testing.T) {
	c := cloudtest.Start(t)
	service := c.Authority.Service()
	if err := listsServers(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	user, _ := c.User("karbor")
	if service.UserID() != user.ID || service.ProjectID() != user.ProjectID {
		t.Errorf("acts as %s in %s", service.UserID(), service.ProjectID())
	}
}

func TestImageBytesComeBack(t *testing.T) {
	c := cloudtest.Start(t)
	alpha := c.Tenant("alpha", "member")
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	id := cloudtest.Image(t, alpha, "big", data)
	client, err := openstack.Image(t.Context(), alpha)
	if err != nil {
		t.Fatal(err)
	}
	read := func() ([]byte, error) {
		r, size, err := openstack.DownloadImage(t.Context(), client, id)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if size != int64(len(data)) {
			t.Errorf("the size is %d", size)
		}
		return io.ReadAll(r)
	}
	got, err := read()
	if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := c.Faults().Add(fabric.Fault{Service: "glance", Method: "GET", Path: "/file$", Answer: fabric.AnswerCut, CutAfter: 1000, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err = read(); !karbor.IsTransient(err) {
		t.Errorf("of a stream that was cut: %d bytes, %v", len(got), err)
	}
	queued := cloudtest.Image(t, alpha, "queued", nil)
	if _, size, err := openstack.DownloadImage(t.Context(), client, queued); err == nil && size != 0 || err != nil && karbor.IsTransient(err) {
		t.Errorf("of an image without data: %d, %v", size, err)
	}
}

func TestFaultsAndQuotasOfTheCloudAreTold(t *testing.T) {
	c := cloudtest.Start(t)
	alpha := c.Tenant("alpha", "member")
	client, err := openstack.BlockStorage(t.Context(), alpha)
	if err != nil {
		t.Fatal(err)
	}
	makeVolume := func() error {
		_, err := volumes.Create(t.Context(), client, volumes.CreateOpts{Name: "v", Size: 1}, nil).Extract()
		return openstack.Explain(err, "making a volume")
	}
	for _, f := range []fabric.Fault{
		{Service: "cinder", Method: "GET", Status: 503, Times: 1},
		{Service: "cinder", Method: "GET", Answer: fabric.AnswerClose, Times: 1},
	} {
		if _, err := c.Faults().Add(f); err != nil {
			t.Fatal(err)
		}
		if _, err := volumes.List(client, nil).AllPages(t.Context()); err != nil {
			t.Errorf("a single fault %+v was not overcome: %v", f, err)
		}
	}
	if _, err := c.Faults().Add(fabric.Fault{Service: "cinder", Method: "POST", Status: 500, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if err := makeVolume(); !karbor.IsTransient(err) {
		t.Errorf("a broken POST: %v", err)
	}
	c.Quotas().Set(alpha.ProjectID(), "volumes", 0)
	if err := makeVolume(); karbor.KindOf(err) != karbor.OverLimit {
		t.Errorf("over the quota: %v", err)
	}
	_, err = volumes.Get(t.Context(), client, karbor.NewID()).Extract()
	if !openstack.IsNotFound(err) || !openstack.IsNotFound(openstack.Explain(err, "looking")) {
		t.Errorf("a volume that is not there: %v", err)
	}
}

func listen(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
