package image_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// original is a protected image that is there still.
type original struct {
	tenant  *protectiontest.Tenant
	id      string
	hooks   protection.Hooks
	single  *protectiontest.Single
	members map[string]any
}

func newOriginal(t *testing.T) *original {
	t.Helper()
	o := &original{tenant: protectiontest.NewTenant(t), members: map[string]any{"tags": []string{"a"}, "os_distro": "debian"}}
	o.id = makeImage(t, o.tenant, o.members, content(100))
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: o.id, Name: "photo"}, "")
	p := open(t, "{poll_interval: 20ms, timeout: 1m}")
	o.single = protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	if err := o.single.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, o.single.Begin(o.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	o.hooks = p.Hooks(karbor.RestoreOperation, karbor.ImageType)
	return o
}

// restore gives the new id, and undoes the restore after that.
func (o *original) restore(t *testing.T, parameters map[string]any, edits ...func(*protection.Call)) protectiontest.Restored {
	t.Helper()
	call := o.single.Begin(o.tenant.Cloud, nil, parameters)
	for _, edit := range edits {
		edit(call)
	}
	if err := o.single.Run(t, o.hooks.Main, call); err != nil {
		t.Fatal(err)
	}
	restored := o.single.Result()
	if err := o.single.Run(t, o.hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	return restored
}

func TestAnIdenticalImageIsUsedAgainAndSurvivesAnUndo(t *testing.T) {
	o := newOriginal(t)
	call := o.single.Begin(o.tenant.Cloud, nil, nil)
	forecast, err := o.hooks.Preflight(t.Context(), call)
	if err != nil || !slices.ContainsFunc(forecast.Findings, func(f protection.Finding) bool {
		return f.Severity == protection.SeverityInfo && strings.Contains(f.Message, o.id)
	}) {
		t.Errorf("looking ahead finds %+v, %v", forecast, err)
	}
	restored := o.restore(t, nil)
	if restored.ID != o.id || len(restored.Mapped) != 1 || !strings.Contains(restored.Mapped[0], o.id) {
		t.Errorf("the restore gives %s and tells %q, want %s", restored.ID, restored.Mapped, o.id)
	}
	if now := o.tenant.Show(t, "image", "images/"+o.id, ""); now["status"] != "active" {
		t.Errorf("after the undo the image is %v", now["status"])
	}
	o.tenant.Remove(t, "image", "images/"+o.id, "")
	twin := makeImage(t, o.tenant, o.members, content(100))
	if got := o.restore(t, nil).ID; got != twin {
		t.Errorf("the restore gives %s, and there is an identical one, %s", got, twin)
	}
}

func TestWhatIsNotIdenticalIsUploaded(t *testing.T) {
	patch := func(p images.Patch) func(t *testing.T, o *original) {
		return func(t *testing.T, o *original) {
			client, err := openstack.Image(t.Context(), o.tenant.Cloud)
			if err == nil {
				err = images.Update(t.Context(), client, o.id, images.UpdateOpts{p}).Err
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name       string
		parameters map[string]any
		change     func(t *testing.T, o *original)
		edit       func(*protection.Call)
	}{
		{name: "asked for", parameters: map[string]any{"upload": "always"}},
		{name: "another name", parameters: map[string]any{"restore_name": "other"}},
		{name: "in a drill", edit: func(c *protection.Call) { c.Drill = true }},
		{name: "another property", change: patch(images.UpdateImageProperty{Op: images.ReplaceOp, Name: "os_distro", Value: "fedora"})},
		{name: "shown to others", change: patch(images.UpdateVisibility{Visibility: images.ImageVisibilityShared})},
		{name: "temporary", change: patch(images.UpdateImageProperty{Op: images.AddOp, Name: protection.TemporaryTag, Value: "somebody's"})},
		{name: "other bytes", change: func(t *testing.T, o *original) {
			o.tenant.Remove(t, "image", "images/"+o.id, "")
			makeImage(t, o.tenant, o.members, content(101))
		}},
		{name: "made by another restore", change: func(t *testing.T, o *original) {
			o.tenant.Remove(t, "image", "images/"+o.id, "")
			members := map[string]any{"tags": []string{"a"}, "os_distro": "debian", protection.CheckpointTag: karbor.NewID()}
			makeImage(t, o.tenant, members, content(100))
		}},
		{name: "the original, made by another restore",
			change: patch(images.UpdateImageProperty{Op: images.AddOp, Name: protection.CheckpointTag, Value: karbor.NewID()})},
		{name: "not active", change: func(t *testing.T, o *original) {
			o.tenant.Remove(t, "image", "images/"+o.id, "")
			o.tenant.Make(t, "image", "images", "", map[string]any{"name": "photo", "disk_format": "raw", "container_format": "bare",
				"visibility": "private", "tags": []string{"a"}, "os_distro": "debian"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOriginal(t)
			if test.change != nil {
				test.change(t, o)
			}
			there := o.ids(t)
			if test.edit == nil {
				test.edit = func(*protection.Call) {}
			}
			restored := o.restore(t, test.parameters, test.edit)
			if slices.Contains(there, restored.ID) || len(restored.Mapped) != 0 {
				t.Errorf("the restore gives %s, which was there, and tells %q", restored.ID, restored.Mapped)
			}
		})
	}
}

func (o *original) ids(t *testing.T) (ids []string) {
	t.Helper()
	all, _ := o.tenant.Do(t, "image", http.MethodGet, "images", nil)["images"].([]any)
	for _, one := range all {
		i, _ := one.(map[string]any)
		id, _ := i["id"].(string)
		ids = append(ids, id)
	}
	return ids
}
