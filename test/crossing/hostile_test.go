package crossing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// share makes a share of a type that needs no server of its own; "" where the cloud has no shares.
func (a *account) share(name string) string {
	a.t.Helper()
	if a.lacks(openstack.SharedFileSystems) {
		return ""
	}
	types, _ := a.do(openstack.SharedFileSystems, "GET", "types", nil)["share_types"].([]any)
	at := slices.IndexFunc(types, func(one any) bool {
		required, _ := one.(map[string]any)["required_extra_specs"].(map[string]any)
		return fmt.Sprint(required["driver_handles_share_servers"]) == "False"
	})
	if at < 0 {
		a.t.Fatal("there is no type for a share: ", types)
	}
	id := a.made(openstack.SharedFileSystems, "shares", "share", map[string]any{
		"name": name, "size": 1, "share_proto": "NFS", "share_type": types[at].(map[string]any)["name"]})
	a.await(openstack.SharedFileSystems, "shares/"+id, "share", "available")
	return id
}

// lacks reports whether the cloud does not have a service.
func (a *account) lacks(s service) bool {
	a.t.Helper()
	_, err := s(context.WithoutCancel(a.t.Context()), a.session)
	var refused *karbor.Error
	return errors.As(err, &refused) && refused.Kind == karbor.NotImplemented
}

// steals tries to see and to protect what is another project's, and gives all that it was told.
func (k *karbord) steals(t *testing.T, a *account, kind karbor.ResourceType, id string) string {
	t.Helper()
	seen := k.call(a, "GET", fmt.Sprintf("/protectables/%s/instances/%s", kind, id), nil)
	if seen.status != http.StatusNotFound {
		t.Errorf("the other project sees a resource of type %s: %d %s", kind, seen.status, seen.text)
	}
	told := seen.text
	plan := k.plan(a, kind, id)
	if told += plan.text; plan.status != http.StatusOK {
		return told
	}
	made := k.checkpoint(a, plan.id(t, "plan"))
	if told += made.text; made.status != http.StatusOK {
		return told
	}
	last := k.ends(a, checkpoints+made.id(t, "checkpoint"), "checkpoint", "available", "error")
	if last.member(t, "checkpoint", "status") != "error" {
		t.Errorf("the other project protects a resource of type %s: %s", kind, last.text)
	}
	return told + last.text
}

// outOfReach has a member of another project try all that he may with what a project has, and with its checkpoint.
func outOfReach(t *testing.T, cloud place) {
	k := serve(t, cloud, nil)
	home, other := login(t, cloud, "demo"), login(t, cloud, "other")
	home.tidied()
	other.tidied()
	bare := other.everything()
	s := home.shop(false)
	things := map[karbor.ResourceType]string{
		karbor.ServerType: s.server, karbor.NetworkType: s.network, karbor.ShareType: home.share("files of the shop"),
		karbor.VolumeType:  home.filled("sold", bytesOfVolume),
		karbor.ImageType:   fmt.Sprint(home.one(openstack.Image, "images?owner="+home.session.ProjectID(), "images", "shop-disk")["id"]),
		karbor.ProjectType: home.session.ProjectID(),
	}
	before := home.everything()
	for kind, id := range things {
		if id == "" {
			continue
		}
		told := k.steals(t, other, kind, id)
		t.Logf("of a resource of type %s the other project is told %s", kind, told)
		for _, secret := range []string{"shop", "sold", "192.168.77."} {
			if strings.Contains(told, secret) {
				t.Errorf("the other project is told %q of a resource of type %s: %s", secret, kind, told)
			}
		}
	}
	for _, secret := range []string{bytesOfDisk, bytesOfVolume, "shop-net"} {
		if keeps(t, k.bank, secret) {
			t.Errorf("the bank has %q", secret)
		}
	}

	plan := k.plan(home, karbor.ServerType, s.server).id(t, "plan")
	checkpoint := k.checkpoint(home, plan).id(t, "checkpoint")
	if last := k.ends(home, checkpoints+checkpoint, "checkpoint", "available", "error"); last.member(t, "checkpoint", "status") != "available" {
		t.Fatal("the checkpoint failed: ", last.text)
	}
	k.refuses(t, other, plan, checkpoint, home.into("stolen-"))
	if now := home.everything(); !slices.Equal(now, before) {
		t.Errorf("the project has %q; want %q", now, before)
	}
	if now := other.everything(); !slices.Equal(now, bare) {
		t.Errorf("the other project has %q; want %q", now, bare)
	}
	home.whole(t, "", held(0))
	if last := k.call(home, "GET", checkpoints+checkpoint, nil); last.member(t, "checkpoint", "status") != "available" {
		t.Errorf("the checkpoint is %s", last.text)
	}
}

// refuses has a member of another project ask for all that can be done with a plan and its checkpoint, into a target, too.
func (k *karbord) refuses(t *testing.T, other *account, plan, checkpoint string, target map[string]any) {
	t.Helper()
	of := map[string]any{"provider_id": providerID, "checkpoint_id": checkpoint, "parameters": map[string]any{}}
	copied := func(plan string) map[string]any {
		return map[string]any{"copy": map[string]any{"provider_id": providerID, "plan_id": plan, "checkpoint_ids": []string{checkpoint}}}
	}
	// A plan of his own is there, but has no such checkpoint.
	own := k.plan(other, karbor.ProjectType, other.session.ProjectID()).id(t, "plan")
	if got := k.call(other, "POST", checkpoints+"action", copied(own)); got.status != http.StatusConflict || strings.Contains(got.text, "shop") {
		t.Errorf("a copy by the other project's own plan is answered %d %s", got.status, got.text)
	}
	for name, try := range map[string]struct {
		method, path string
		body         any
	}{
		"show": {"GET", checkpoints + checkpoint, nil}, "delete": {"DELETE", checkpoints + checkpoint, nil},
		"verify":             {"POST", "/verifications", map[string]any{"verification": of}},
		"restore":            {"POST", "/restores", map[string]any{"restore": of}},
		"drill":              {"POST", "/drills", map[string]any{"drill": map[string]any{"provider_id": providerID, "checkpoint_id": checkpoint}}},
		"copy":               {"POST", checkpoints + "action", copied(plan)},
		"protect by a plan":  {"POST", strings.TrimSuffix(checkpoints, "/"), map[string]any{"checkpoint": map[string]any{"plan_id": plan}}},
		"show the plan":      {"GET", "/plans/" + plan, nil},
		"delete the plan":    {"DELETE", "/plans/" + plan, nil},
		"restore in place":   {"POST", "/restores", map[string]any{"restore": with(of, map[string]any{"in_place": true})}},
		"restore elsewhere":  {"POST", "/restores", map[string]any{"restore": with(of, target)}},
		"look ahead of that": {"POST", "/restores", map[string]any{"restore": with(of, map[string]any{"dry_run": true})}},
	} {
		got := k.call(other, try.method, try.path, try.body)
		if got.status != http.StatusNotFound || strings.Contains(got.text, "shop") {
			t.Errorf("%s: the other project is answered %d %s", name, got.status, got.text)
		}
	}
}
