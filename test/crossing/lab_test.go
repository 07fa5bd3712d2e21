//go:build openstack

package crossing

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

const (
	pace  = "500ms"
	pause = time.Second
)

// lab is the real OpenStack whose openrc files the environment names.
type lab struct{ t *testing.T }

// URL implements place.
func (l lab) URL() string { return testcloudtest.OpenRC(l.t, "openrc-admin")["OS_AUTH_URL"] }

// User implements place.
func (l lab) User(name string) (testcloud.User, bool) {
	file, ok := map[string]string{"demo": "openrc-gamma", "other": "openrc-beta", "admin": "openrc-admin", "karbor": "openrc-karbor"}[name]
	if !ok {
		return testcloud.User{}, false
	}
	env := testcloudtest.OpenRC(l.t, file)
	return testcloud.User{Name: env["OS_USERNAME"], Password: env["OS_PASSWORD"], ProjectName: env["OS_PROJECT_NAME"]}, true
}

// kinds are what the tests make in a project, in the order in which it can go.
var kinds = []struct {
	service             service
	list, member, thing string
}{
	{openstack.Compute, "servers", "servers", "servers/"},
	{openstack.BlockStorage, "snapshots", "snapshots", "snapshots/"},
	{openstack.BlockStorage, "volumes", "volumes", "volumes/"},
	{openstack.Image, "images?visibility=private", "images", "images/"},
	{openstack.Network, "ports?project_id=%s", "ports", "ports/"},
	{openstack.Network, "networks?project_id=%s", "networks", "networks/"},
	{openstack.Network, "security-groups?project_id=%s", "security_groups", "security-groups/"},
}

// things lists the ids of what the account's project has of a kind.
func (a *account) things(kind int) map[string]bool {
	a.t.Helper()
	k := kinds[kind]
	path := k.list
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, a.session.ProjectID())
	}
	found := map[string]bool{}
	list, _ := a.do(k.service, "GET", path, nil)[k.member].([]any)
	for _, item := range list {
		thing, _ := item.(map[string]any)
		// Neutron makes the group default, when a project is first asked for its groups.
		if id, _ := thing["id"].(string); thing["name"] != "default" || k.member != "security_groups" {
			found[id] = true
		}
	}
	return found
}

// tidied removes what the account's project has beyond what it has now, at the end of
// the test; the function that it gives does so at once.
func (a *account) tidied() func() {
	a.t.Helper()
	before := make([]map[string]bool, len(kinds))
	for i := range kinds {
		before[i] = a.things(i)
	}
	remove := func() {
		for i, k := range kinds {
			until(a.t, "the project's "+k.member+" to go", func() bool {
				left := 0
				for id := range a.things(i) {
					if !before[i][id] {
						left++
						a.drop(k.service, k.thing+id)
					}
				}
				return left == 0
			})
		}
	}
	a.t.Cleanup(remove)
	return remove
}

// drop asks for the end of a thing, which may be going already.
func (a *account) drop(s service, path string) {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	client, err := s(ctx, a.session)
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := client.Delete(ctx, client.ServiceURL(path), nil)
	if err == nil {
		_ = response.Body.Close()
	}
}

// sum gives the digest of a volume's bytes, by way of an image.
func (a *account) sum(volume string) string {
	a.t.Helper()
	upload, _ := a.do(openstack.BlockStorage, "POST", "volumes/"+volume+"/action", map[string]any{"os-volume_upload_image": map[string]any{
		"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})["os-volume_upload_image"].(map[string]any)
	path := fmt.Sprintf("images/%v", upload["image_id"])
	var shown map[string]any
	until(a.t, "the image of volume "+volume, func() bool {
		shown = a.do(openstack.Image, "GET", path, nil)
		return shown["status"] == "active"
	})
	a.do(openstack.Image, "DELETE", path, nil)
	sum, _ := shown["os_hash_value"].(string)
	if sum == "" {
		a.t.Fatalf("the image of volume %s has no digest: %v", volume, shown)
	}
	return sum
}

// one gives the only thing of a list with a name.
func (a *account) one(s service, path, member, name string) map[string]any {
	a.t.Helper()
	var found []map[string]any
	list, _ := a.do(s, "GET", path, nil)[member].([]any)
	for _, item := range list {
		if thing, _ := item.(map[string]any); thing["name"] == name {
			found = append(found, thing)
		}
	}
	if len(found) != 1 {
		a.t.Fatalf("there are %d %s with the name %q", len(found), member, name)
	}
	return found[0]
}

// whole makes sure that the shop is in a project with all its bytes. It gives the server.
func (a *account) whole(t *testing.T, prefix, sum string) string {
	t.Helper()
	server := a.one(openstack.Compute, "servers/detail", "servers", prefix+"shop")
	if server["status"] != "ACTIVE" {
		t.Errorf("server %v is %v", server["name"], server["status"])
	}
	volume := a.one(openstack.BlockStorage, "volumes/detail", "volumes", prefix+"sold")
	id, _ := volume["id"].(string)
	if hung, _ := volume["attachments"].([]any); len(hung) != 1 || hung[0].(map[string]any)["server_id"] != server["id"] {
		t.Errorf("the volume hangs on %v, want server %v", hung, server["id"])
	}
	if got := a.sum(id); got != sum {
		t.Errorf("the restored volume's digest is %s, want %s", got, sum)
	}
	serverID, _ := server["id"].(string)
	return serverID
}

// succeeds restores a checkpoint, and waits until that has succeeded.
func (k *karbord) succeeds(a *account, checkpoint string, more map[string]any) answer {
	k.t.Helper()
	id := k.restore(a, checkpoint, more).id(k.t, "restore")
	last := k.ends(a, "/restores/"+id, "restore", "success", "fail")
	if last.member(k.t, "restore", "status") != "success" {
		k.t.Fatal("the restore failed: ", last.text)
	}
	return last
}

// into names an account as the target of a restore.
func (a *account) into(prefix string) map[string]any {
	return map[string]any{
		"restore_target": a.cloud.URL(), "mapping": map[string]any{"name_prefix": prefix, "addresses": "renew"},
		"restore_auth": map[string]any{"type": "password", "username": a.name, "password": a.password, "project_name": a.project},
	}
}

// TestOpenStackServerGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack shares nothing
// but the bank's folder between the two services.
func TestOpenStackServerGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack(t *testing.T) {
	here, there := lab{t}, testcloudtest.Start(t)
	folder := t.TempDir()
	targets := func(c *config.Config) {
		c.Operations.RestoreTargets, c.Operations.RestoreEndpoints = []string{here.URL(), there.URL()}, []string{"127.0.0.1"}
	}
	k := share(t, here, folder, targets)
	home, other, abroad := login(t, here, "demo"), login(t, here, "other"), login(t, there, "demo")
	empty := home.tidied()
	shop := home.shop(true)
	sum := home.sum(home.one(openstack.BlockStorage, "volumes/detail", "volumes", "sold")["id"].(string))
	checkpoint := k.protect(home, karbor.ServerType, shop.server)

	clear := other.tidied()
	k.succeeds(home, checkpoint, other.into("their-"))
	other.whole(t, "their-", sum)
	clear()

	k.succeeds(home, checkpoint, abroad.into("far-"))
	far := share(t, there, folder, targets)
	back := far.protect(abroad, karbor.ServerType, abroad.whole(t, "far-", sum))
	empty()

	far.succeeds(abroad, back, home.into("back-"))
	home.whole(t, "back-far-", sum)

	if hostile := k.call(other, "GET", checkpoints+checkpoint, nil); hostile.status != http.StatusNotFound {
		t.Errorf("the other project sees the checkpoint: %d %s", hostile.status, hostile.text)
	}
	hostile := k.restore(other, checkpoint, home.into("stolen-"))
	if hostile.status != http.StatusNotFound {
		t.Errorf("the other project restores the checkpoint: %d %s", hostile.status, hostile.text)
	}
}

// TestOpenStackVolumeIsRestoredInPlaceAndThatIsUndone writes other bytes into a volume, as its
// owner may: each volume keeps its id throughout.
func TestOpenStackVolumeIsRestoredInPlaceAndThatIsUndone(t *testing.T) {
	cloud := lab{t}
	k := serve(t, cloud, func(*config.Config) {})
	a := login(t, cloud, "demo")
	a.tidied()
	volume := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": "sold", "size": 1, "imageRef": a.upload("sold", bytesOfVolume)})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	first := a.sum(volume)
	checkpoint := k.protect(a, karbor.VolumeType, volume)

	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	a.do(reimaging, "POST", "volumes/"+volume+"/action", map[string]any{"os-reimage": map[string]any{"image_id": a.upload("sold later", "what was sold later")}})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	later := a.sum(volume)
	if later == first {
		t.Fatal("the volume has no other bytes")
	}

	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	done := k.succeeds(a, checkpoint, map[string]any{"in_place": true})
	if got := a.sum(volume); got != first {
		t.Errorf("restored in place, the volume's digest is %s, want %s", got, first)
	}
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	safety, _ := done.member(t, "restore", "safety_checkpoint_id").(string)
	k.succeeds(a, safety, map[string]any{"in_place": true})
	if got := a.sum(volume); got != later {
		t.Errorf("with the restore undone, the volume's digest is %s, want %s", got, later)
	}
}

// reimaging is the volume service at the version from which it overwrites volumes.
func reimaging(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return openstack.BlockStorageFrom(ctx, c, "3.68")
}
