package crossing

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// uploaded gives the answer about an image when the cloud has all its bytes.
func (a *account) uploaded(image string) map[string]any {
	a.t.Helper()
	var shown map[string]any
	until(a.t, "the bytes of image "+image, func() bool {
		shown = a.do(openstack.Image, "GET", "images/"+image, nil)
		return shown["status"] == "active"
	})
	return shown
}

// sum gives the digest of a volume's bytes, by way of an image.
func (a *account) sum(volume string) string {
	a.t.Helper()
	shown, _ := a.do(openstack.BlockStorage, "GET", "volumes/"+volume, nil)["volume"].(map[string]any)
	upload, _ := a.do(openstack.BlockStorage, "POST", "volumes/"+volume+"/action", map[string]any{"os-volume_upload_image": map[string]any{
		"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})["os-volume_upload_image"].(map[string]any)
	image := fmt.Sprint(upload["image_id"])
	sum, _ := a.uploaded(image)["os_hash_value"].(string)
	if sum == "" {
		a.t.Fatalf("the image of volume %s has no digest", volume)
	}
	a.do(openstack.Image, "DELETE", "images/"+image, nil)
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", fmt.Sprint(shown["status"]))
	return sum
}

// sumOfDisk gives the digest of the bytes of a server's own small disk, by way of an image.
func (a *account) sumOfDisk(server string) string {
	a.t.Helper()
	image := fmt.Sprint(a.do(openstack.Compute, "POST", "servers/"+server+"/action", map[string]any{"createImage": map[string]any{"name": "look"}})["image_id"])
	a.uploaded(image)
	text, _ := a.do(openstack.Image, "GET", "images/"+image+"/file", nil)["text"].(string)
	a.do(openstack.Image, "DELETE", "images/"+image, nil)
	until(a.t, "server "+server+" to be at rest", func() bool {
		shown, _ := a.do(openstack.Compute, "GET", "servers/"+server, nil)["server"].(map[string]any)
		return shown["OS-EXT-STS:task_state"] == nil
	})
	return withoutGuest(text)
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

// holding are the digests of what a shop holds: the disk of its server, and its volume, if it has one.
type holding struct{ disk, sold string }

// held gives those of each shop, in a cloud where a volume of a GiB has so many bytes; 0 is for one without a volume.
func held(gib int) holding {
	h := holding{disk: withoutGuest(strings.Repeat(bytesOfDisk, 1000))}
	if gib > 0 {
		h.sold = sumOf(bytesOfVolume, gib)
	}
	return h
}

// sumOf gives the digest of a volume of a text, a thousand times, as Glance makes it.
func sumOf(text string, size int) string {
	sum, zeros := sha512.New(), make([]byte, 1<<20)
	begun, _ := sum.Write([]byte(strings.Repeat(text, 1000)))
	for left := size - begun; left > 0; left -= len(zeros) {
		_, _ = sum.Write(zeros[:min(left, len(zeros))])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// withoutGuest gives the digest of a small disk but for the middle, where the guests of the simulated cloud write at
// each boot.
func withoutGuest(disk string) string {
	const sector, block = 512, 4096
	at := len(disk) / 2 / sector * sector
	sum := sha512.Sum512([]byte(disk[:at] + disk[min(at+block, len(disk)):]))
	return hex.EncodeToString(sum[:])
}

// holds gives the digests of what the shop that there is under a name holds.
func (a *account) holds(prefix string, withVolume bool) holding {
	a.t.Helper()
	h := holding{disk: a.sumOfDisk(fmt.Sprint(a.one(openstack.Compute, "servers", "servers", prefix+"shop")["id"]))}
	if withVolume {
		h.sold = a.sum(fmt.Sprint(a.one(openstack.BlockStorage, "volumes/detail", "volumes", prefix+"sold")["id"]))
	}
	return h
}

// whole makes sure that the shop is in a project with all its bytes, on its network. It gives the server.
func (a *account) whole(t *testing.T, prefix string, want holding) string {
	t.Helper()
	server := a.one(openstack.Compute, "servers/detail", "servers", prefix+"shop")
	id := fmt.Sprint(server["id"])
	if server["status"] != "ACTIVE" {
		t.Errorf("server %v is %v", server["name"], server["status"])
	}
	if want.sold != "" {
		volume := a.one(openstack.BlockStorage, "volumes/detail", "volumes", prefix+"sold")
		if hung, _ := volume["attachments"].([]any); len(hung) != 1 || hung[0].(map[string]any)["server_id"] != id {
			t.Errorf("the volume hangs on %v, want server %s", volume["attachments"], id)
		}
	}
	if got := a.holds(prefix, want.sold != ""); got != want {
		t.Errorf("the restored shop holds %v; want %v", got, want)
	}
	network := a.one(openstack.Network, "networks?project_id="+a.session.ProjectID(), "networks", prefix+"shop-net")
	ports, _ := a.do(openstack.Network, "GET", "ports?device_id="+id, nil)["ports"].([]any)
	if !slices.ContainsFunc(ports, func(p any) bool { return p.(map[string]any)["network_id"] == network["id"] }) {
		t.Errorf("the server's ports are %v; want one on network %v", ports, network["id"])
	}
	images, _ := a.do(openstack.Image, "GET", "images?owner="+a.session.ProjectID(), nil)["images"].([]any)
	if len(images) == 0 {
		t.Error("there is no image of the server's disk")
	}
	return id
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

// comesBackWhole protects a project of a member's that has a shop with a volume, another volume, an image and a
// network that nothing uses; all of it goes, and comes back. Another project keeps what it has throughout. A volume
// of a GiB has so many bytes.
//
//karbor:tries protect,restore of project,server,volumeglance,image,network
func comesBackWhole(t *testing.T, cloud place, gib int) {
	k := serve(t, cloud, nil)
	home, other := login(t, cloud, "demo"), login(t, cloud, "other")
	other.tidied()
	other.filled("archive", "of another project ")
	neighbours := other.everything()
	empty, bare := home.tidied(), home.everything()
	home.shop(true)
	const once = "what was once sold "
	home.filled("archive", once)
	home.upload("photo", "a picture of the shop ")
	home.made(openstack.Network, "networks", "network", map[string]any{"name": "spare-net"})
	own := "images?owner=" + home.session.ProjectID()
	photo, before := home.one(openstack.Image, own, "images", "photo")["os_hash_value"], home.named()
	base := home.one(openstack.Image, own, "images", "shop-disk")["os_hash_value"]

	checkpoint := k.protect(home, karbor.ProjectType, home.session.ProjectID())
	empty()
	if left := home.everything(); !slices.Equal(left, bare) {
		t.Fatalf("there is left %q; want %q", left, bare)
	}
	k.succeeds(home, checkpoint, nil)
	want := slices.Concat(before, []string{"images/shop-disk"}) // one that was in the project, and one of the server's disk
	if now := home.named(); !slices.Equal(now, slices.Sorted(slices.Values(want))) {
		t.Errorf("the project has %q; want %q", now, want)
	}
	home.bootsFromItsDisk(t, home.whole(t, "", held(gib)), base)
	if got := home.sum(fmt.Sprint(home.one(openstack.BlockStorage, "volumes", "volumes", "archive")["id"])); got != sumOf(once, gib) {
		t.Error("the volume that hangs on nothing has other bytes")
	}
	if got := home.one(openstack.Image, own, "images", "photo")["os_hash_value"]; got != photo {
		t.Error("the image has other bytes")
	}
	if now := other.everything(); !slices.Equal(now, neighbours) {
		t.Errorf("the other project has %q; want %q", now, neighbours)
	}
	if seen := k.call(other, "GET", checkpoints+checkpoint, nil); seen.status != http.StatusNotFound {
		t.Errorf("the other project sees the checkpoint: %d %s", seen.status, seen.text)
	}
}

// bootsFromItsDisk makes sure that the restored server names the image of its own disk, and that the image that it was
// once made of is there beside that, with the bytes that it had.
func (a *account) bootsFromItsDisk(t *testing.T, server string, base any) {
	t.Helper()
	shown, _ := a.do(openstack.Compute, "GET", "servers/"+server, nil)["server"].(map[string]any)
	of, _ := shown["image"].(map[string]any)
	found, list := map[string]any{}, a.do(openstack.Image, "GET", "images?owner="+a.session.ProjectID(), nil)["images"]
	images, _ := list.([]any)
	for _, item := range images {
		if image, _ := item.(map[string]any); image["name"] == "shop-disk" {
			found[fmt.Sprint(image["id"])] = image["os_hash_value"]
		}
	}
	disk := fmt.Sprint(of["id"])
	if _, ok := found[disk]; !ok || len(found) != 2 {
		t.Fatalf("the server is of image %v; there are %v", of, found)
	}
	for id, hash := range found {
		if id != disk && hash != base {
			t.Errorf("the image that the server was made of has the digest %v, want %v", hash, base)
		}
	}
}

// filled makes a volume that hangs on nothing of a text, a thousand times, and gives its id.
func (a *account) filled(name, text string) string {
	a.t.Helper()
	image := a.upload(name, text)
	id := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": name, "size": 1, "imageRef": image})
	a.await(openstack.BlockStorage, "volumes/"+id, "volume", "available")
	a.do(openstack.Image, "DELETE", "images/"+image, nil)
	return id
}
