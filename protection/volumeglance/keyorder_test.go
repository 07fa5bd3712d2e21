package volumeglance_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection/protectiontest"
)

// keeping lets no secret go while it is closed.
type keeping struct {
	http.RoundTripper
	closed atomic.Bool
}

func (k *keeping) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/secrets/") && k.closed.Load() {
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r, Body: http.NoBody}, nil
	}
	return k.RoundTripper.RoundTrip(r)
}

// TestKeyOfATemporaryImageIsNeverLeftWithoutIt has a run end where the key is to go: the next
// one must still find out, from the image, which key it was.
func TestKeyOfATemporaryImageIsNeverLeftWithoutIt(t *testing.T) {
	small := newMiniature()
	closed := &keeping{RoundTripper: small.base}
	small.base = closed
	tenant := protectiontest.NewTenant(t).Through(t, &http.Client{Transport: small})
	source := encrypted(t, tenant)
	before := tenant.Inventory(t)
	p := open(t)
	single := protectiontest.NewSingle(p, source)
	call, hooks := single.Begin(tenant.Cloud, nil, nil), p.Hooks(karbor.Protect, karbor.VolumeType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	closed.closed.Store(true)
	if err := single.Run(t, hooks.Main, call); err == nil || karbor.KindOf(err) != karbor.Forbidden {
		t.Fatalf("with a key that can't go: %v", err)
	}
	image, err := openstack.Image(t.Context(), tenant.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Images []struct{ Name string } }
	if _, err := image.Get(t.Context(), image.ServiceURL("images"), &list, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list.Images, func(i struct{ Name string }) bool { return i.Name == call.Name() }) {
		t.Errorf("nothing tells any more which key is to go: the images are %v", list.Images)
	}
	closed.closed.Store(false)
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}
