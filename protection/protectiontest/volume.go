package protectiontest

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Disk is a bootable, read-only volume of a tenant with metadata, as a source.
type Disk struct {
	ID     string
	Source Source
	// Shared says that overwriting the volume overwrites its snapshots, as Cinder's driver for NFS
	// does: then Destroy leaves its bytes alone.
	Shared bool

	tenant   *Tenant
	original map[string]any
	// sum is the digest of its bytes; "" if they are not compared.
	sum string
}

// Disk makes one. Its source's Check compares the volume's properties; Destroy spoils
// it where snapshots keep it from being deleted. Options, Restore and Lose are left to
// the caller.
func (n *Tenant) Disk(t *testing.T) *Disk {
	t.Helper()
	image := n.raw(t, map[string]any{"name": "base", "os_distro": "debian"}, text)
	made := n.Make(t, "volume", "volumes", "volume", n.Typed(map[string]any{
		"name": "disk", "description": "of the shop", "size": 1, "imageRef": image,
		"metadata": map[string]any{"tier": "gold", "karbor_resource_id": "earlier"},
	}))
	d := &Disk{ID: fmt.Sprint(made["id"]), tenant: n}
	n.Await(t, "volume", d.path(), "volume", "available")
	n.Remove(t, "image", "images/"+image, "")
	n.Afterwards(t, func() {
		d.RemoveMade(t, "snapshots")
		d.RemoveMade(t, "backups")
		n.Remove(t, "volume", d.path(), "volume")
	})
	d.Act(t, "os-update_readonly_flag", map[string]any{"readonly": true})
	d.original = n.Show(t, "volume", d.path(), "volume")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: d.ID, Name: "disk"}, "")
	d.Source = Source{Graph: g, Key: node.Key(), Destroy: d.destroy, Check: d.Check}
	return d
}

// Typed adds the tenant's type of volumes to the request for one.
func (n *Tenant) Typed(volume map[string]any) map[string]any {
	if n.VolumeType != "" {
		volume["volume_type"] = n.VolumeType
	}
	return volume
}

// raw makes an image of a text, a thousand times, and gives its id.
func (n *Tenant) raw(t *testing.T, image map[string]any, words string) string {
	t.Helper()
	image["disk_format"], image["container_format"] = "raw", "bare"
	id := fmt.Sprint(n.Make(t, "image", "images", "", image)["id"])
	n.Do(t, "image", http.MethodPut, "images/"+id+"/file", []byte(strings.Repeat(words, 1000)))
	return id
}

// Overwrite puts other bytes into a volume, as its owner may: a text a thousand times.
func (n *Tenant) Overwrite(t *testing.T, volume, words string) {
	t.Helper()
	image := n.raw(t, map[string]any{"name": "other"}, words)
	n.Do(t, "rewriting", http.MethodPost, "volumes/"+volume+"/action", map[string]any{"os-reimage": map[string]any{"image_id": image}})
	n.Await(t, "volume", "volumes/"+volume, "volume", "available")
	n.Remove(t, "image", "images/"+image, "")
}

// EachVolumeType runs a test of a real cloud with volumes of the cloud's default type, and of each
// that KARBOR_TEST_VOLUME_TYPES names, with spaces between them: each may have another back end.
func EachVolumeType(t *testing.T, try func(t *testing.T, tenant *Tenant)) {
	t.Helper()
	for _, kind := range append([]string{""}, strings.Fields(os.Getenv("KARBOR_TEST_VOLUME_TYPES"))...) {
		t.Run("volumes of the type "+kind, func(t *testing.T) {
			tenant := RealTenant(t)
			tenant.VolumeType = kind
			try(t, tenant)
		})
	}
}

// Summed has the source's Check compare all bytes with those that the volume was made of, which
// nothing that the cloud says takes part in.
func (d *Disk) Summed() *Disk {
	d.sum = sumOfDisk()
	return d
}

// text is what the bytes of a Disk are, a thousand times, with zeros up to a GiB behind it.
const text = "the volume's bytes "

// sumOfDisk gives the digest of such bytes, as Glance makes it.
var sumOfDisk = sync.OnceValue(func() string {
	const gib = 1 << 30
	sum, zeros := sha512.New(), make([]byte, 1<<20)
	begun, _ := sum.Write([]byte(strings.Repeat(text, 1000)))
	for left := gib - begun; left > 0; left -= len(zeros) {
		_, _ = sum.Write(zeros[:min(left, len(zeros))])
	}
	return hex.EncodeToString(sum.Sum(nil))
})

func (d *Disk) path() string { return "volumes/" + d.ID }

// Act asks for an action on the volume.
func (d *Disk) Act(t *testing.T, action string, argument any) {
	t.Helper()
	d.tenant.Do(t, "volume", http.MethodPost, d.path()+"/action", map[string]any{action: argument})
}

// Attach makes the volume in use.
func (d *Disk) Attach(t *testing.T) {
	t.Helper()
	d.Act(t, "os-reserve", nil)
	d.Act(t, "os-attach", map[string]any{"instance_uuid": karbor.NewID(), "mountpoint": "/dev/vdb", "mode": "rw"})
}

// Made gives the things of a kind ("snapshots", "backups") that were made of the
// volume.
func (d *Disk) Made(t *testing.T, kind string) []map[string]any {
	t.Helper()
	all, _ := d.tenant.Do(t, "volume", http.MethodGet, kind+"/detail?volume_id="+d.ID, nil)[kind].([]any)
	var out []map[string]any
	for _, one := range all {
		if members, ok := one.(map[string]any); ok {
			out = append(out, members)
		}
	}
	return out
}

// RemoveMade removes all of them, as often as it takes: some stand on others.
func (d *Disk) RemoveMade(t *testing.T, kind string) {
	t.Helper()
	for {
		made := d.Made(t, kind)
		if len(made) == 0 {
			return
		}
		for _, m := range made {
			if dependents, _ := m["has_dependent_backups"].(bool); !dependents {
				d.tenant.Remove(t, "volume", fmt.Sprintf("%s/%v", kind, m["id"]), strings.TrimSuffix(kind, "s"))
			}
		}
	}
}

func (d *Disk) destroy(t *testing.T) {
	t.Helper()
	if len(d.Made(t, "snapshots")) == 0 {
		d.tenant.Remove(t, "volume", d.path(), "volume")
		return
	}
	d.tenant.Do(t, "volume", http.MethodPut, d.path(), map[string]any{"volume": map[string]any{
		"name": "spoilt", "description": "", "metadata": map[string]any{}}})
	if !d.Shared {
		d.tenant.Overwrite(t, d.ID, "what nobody wants ")
	}
}

// properties gives what a restore keeps of a volume.
func properties(from map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []string{"name", "description", "size", "volume_type", "bootable", "availability_zone", "volume_image_metadata", "encrypted"} {
		out[m] = from[m]
	}
	own := map[string]any{}
	metadata, _ := from["metadata"].(map[string]any)
	for k, v := range metadata {
		if !strings.HasPrefix(k, "karbor_") && k != "src_backup_id" || k == protection.RestoringTag {
			own[k] = v
		}
	}
	out["metadata"] = own
	return out
}

// Check compares a restored volume with the original as it was.
func (d *Disk) Check(t *testing.T, restored Restored) {
	t.Helper()
	now := d.tenant.Show(t, "volume", "volumes/"+restored.ID, "volume")
	if diff := cmp.Diff(properties(d.original), properties(now)); diff != "" || now["status"] != "available" || len(restored.NotKept) > 0 {
		t.Errorf("the restored volume is %v, not kept: %q, and differs (-original +restored):\n%s", now["status"], restored.NotKept, diff)
	}
	if d.sum != "" && d.tenant.Sum(t, restored.ID) != d.sum {
		t.Error("the restored volume has other bytes")
	}
}

// Sum gives Glance's digest of a volume's bytes. It reads all of them, by way of an
// image.
func (n *Tenant) Sum(t *testing.T, volume string) string {
	t.Helper()
	answer := n.Do(t, "volume", http.MethodPost, "volumes/"+volume+"/action",
		map[string]any{"os-volume_upload_image": map[string]any{"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
	upload, _ := answer["os-volume_upload_image"].(map[string]any)
	path := fmt.Sprintf("images/%v", upload["image_id"])
	n.Await(t, "image", path, "", "active")
	shown := n.Show(t, "image", path, "")
	n.Remove(t, "image", path, "")
	n.Await(t, "volume", "volumes/"+volume, "volume", "available")
	return fmt.Sprint(shown["os_hash_value"])
}
