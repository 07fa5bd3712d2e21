//go:build openstack

package image_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// elsewhere restores what one bank holds for a tenant, and gives the image.
func elsewhere(t *testing.T, single *protectiontest.Single, p protection.Plugin, tenant *protectiontest.Tenant) (map[string]any, string) {
	t.Helper()
	hooks, call := p.Hooks(karbor.RestoreOperation, karbor.ImageType), single.Begin(tenant.Cloud, nil, nil)
	if err := single.Run(t, hooks.Main, call); err != nil {
		t.Fatal(err)
	}
	restored := single.Result()
	t.Cleanup(func() { tenant.Remove(t, "image", "images/"+restored.ID, "") })
	if len(restored.Mapped) > 0 {
		t.Errorf("an image of another project or cloud is used: %q", restored.Mapped)
	}
	now := tenant.Show(t, "image", "images/"+restored.ID, "")
	if now["owner"] != tenant.Cloud.ProjectID() {
		t.Errorf("the restored image is owned by %v, want %s", now["owner"], tenant.Cloud.ProjectID())
	}
	return pick(now, kept), restored.ID
}

// TestOpenStackImageGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack shares nothing but
// the bank, while the original is still there.
//
//karbor:tries other-project,other-cloud of image
func TestOpenStackImageGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack(t *testing.T) {
	first, other := protectiontest.RealTenant(t), protectiontest.OtherTenant(t)
	t.Setenv("KARBOR_TEST_CLOUD", "")
	simulated := protectiontest.NewTenant(t)

	p := open(t, "{poll_interval: 200ms, timeout: 2m}")
	protected := func(tenant *protectiontest.Tenant, id string) *protectiontest.Single {
		t.Helper()
		g := &karbor.Graph{}
		node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
		single := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
		if err := single.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
			t.Fatal(err)
		}
		return single
	}
	id := makeImage(t, first, map[string]any{"min_disk": 1, "tags": []string{"a", "b"}, "os_distro": "debian", "own_property": "x"}, content(10_000))
	t.Cleanup(func() { first.Remove(t, "image", "images/"+id, "") })
	want := pick(first.Show(t, "image", "images/"+id, ""), kept)
	bank := protected(first, id)

	same := func(where string, got map[string]any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s the image differs (-original +restored):\n%s", where, diff)
		}
	}
	got, _ := elsewhere(t, bank, p, other)
	same("in the other project", got)
	got, copied := elsewhere(t, bank, p, simulated)
	same("in the simulated cloud", got)
	got, _ = elsewhere(t, protected(simulated, copied), p, other)
	same("back from the simulated cloud", got)

	// The other tenant can't reach the original: neither to protect it, nor to undo a restore onto it.
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
	hostile := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	err := hostile.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, hostile.Begin(other.Cloud, nil, nil))
	if karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("the other tenant protects it: %v", err)
	}
	call := hostile.Begin(other.Cloud, nil, nil)
	if err := call.Scratch.Save(t.Context(), map[string]string{"image": id}); err != nil {
		t.Fatal(err)
	}
	_ = hostile.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ImageType).Undo, call) // whatever it says, the image must be there
	if text, _ := first.Do(t, "image", http.MethodGet, "images/"+id+"/file", nil)["text"].(string); text != string(content(10_000)) {
		t.Error("the original is not as it was")
	}
}
