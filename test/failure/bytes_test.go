package failure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// The types of what holds bytes, and of what holds it.
const (
	images  = "OS::Glance::Image"
	volumes = "OS::Cinder::Volume"
	servers = "OS::Nova::Server"
)

// filled makes a volume that begins with bytes that nothing else has.
func (u *tenant) filled(name string, size int) resource {
	u.t.Helper()
	source := u.image(name+" source", size)
	base := "/volume/v3/" + u.user.ProjectID + "/volumes"
	id := u.made(base, "volume", map[string]any{"name": name, "size": 1, "imageRef": source.ID})
	v := resource{volumes, id, name}
	u.stands(v.key(), "available")
	u.discard(source.key())
	return v
}

// where gives the path of a resource in the cloud, by its key.
func (u *tenant) where(key string) string {
	kind, id, _ := strings.Cut(key, "#")
	return map[string]string{
		images: "/image/v2/images/", volumes: "/volume/v3/" + u.user.ProjectID + "/volumes/", servers: "/compute/v2.1/servers/",
	}[kind] + id
}

// stands waits until a resource has one of some states; "" stands for none at all.
func (u *tenant) stands(key string, states ...string) {
	u.t.Helper()
	var last answer
	await(u.t, fmt.Sprintf("%s to be %q", key, states), func() bool {
		a := u.cloud.Do(u.t, u.token, "GET", u.where(key), nil)
		last = answer{status: a.Status, text: string(a.Body)}
		if last.status == http.StatusNotFound {
			return slices.Contains(states, "")
		}
		return slices.ContainsFunc(states, func(state string) bool {
			return strings.Contains(last.text, `"status":"`+state+`"`) || strings.Contains(last.text, `"status": "`+state+`"`)
		})
	})
}

// discard deletes a resource of the tenant's, by its key in a result; of a server, its ports, too.
func (u *tenant) discard(key string) {
	u.t.Helper()
	kind, id, _ := strings.Cut(key, "#")
	var ports struct{ Ports []struct{ ID string } }
	switch kind {
	case servers:
		a := u.cloud.Do(u.t, u.token, "GET", "/network/v2.0/ports?device_id="+id, nil)
		if err := json.Unmarshal(a.Body, &ports); err != nil {
			u.t.Fatalf("the ports of server %s: %d %s", id, a.Status, a.Body)
		}
	case volumes:
		u.stands(key, "available", "error", "")
	}
	a := u.cloud.Do(u.t, u.token, "DELETE", u.where(key), nil)
	if a.Status != http.StatusNoContent && a.Status != http.StatusAccepted {
		u.t.Errorf("%s can't be deleted: %d %s", key, a.Status, a.Body)
	}
	if kind != servers {
		return
	}
	u.stands(key, "")
	for _, p := range ports.Ports {
		u.cloud.Do(u.t, u.token, "DELETE", "/network/v2.0/ports/"+p.ID, nil) // Nova may have done it
	}
}

// digest gives the digest of all the bytes of an image or a volume, as Glance computes it.
func (u *tenant) digest(key string) string {
	u.t.Helper()
	kind, id, _ := strings.Cut(key, "#")
	image := id
	if kind == volumes {
		var made struct {
			Upload struct {
				ID string `json:"image_id"`
			} `json:"os-volume_upload_image"`
		}
		a := u.cloud.Do(u.t, u.token, "POST", u.where(key)+"/action", map[string]any{"os-volume_upload_image": map[string]any{
			"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
		if err := json.Unmarshal(a.Body, &made); err != nil || a.Status >= 300 {
			u.t.Fatalf("uploading %s: %d %s", key, a.Status, a.Body)
		}
		image = made.Upload.ID
		defer u.discard(images + "#" + image)
		defer u.stands(key, "available", "in-use")
	}
	u.stands(images+"#"+image, "active")
	var found struct {
		Hash string `json:"os_hash_value"`
	}
	a := u.cloud.Do(u.t, u.token, "GET", "/image/v2/images/"+image, nil)
	if err := json.Unmarshal(a.Body, &found); err != nil || found.Hash == "" {
		u.t.Fatalf("the digest of %s: %d %s", key, a.Status, a.Body)
	}
	return found.Hash
}

// digests gives those of all images and volumes among keys, by type, in order.
func (u *tenant) digests(keys []string) []string {
	u.t.Helper()
	var sums []string
	for _, key := range keys {
		if kind, _, _ := strings.Cut(key, "#"); kind == images || kind == volumes {
			sums = append(sums, kind+" "+u.digest(key))
		}
	}
	slices.Sort(sums)
	return sums
}

// kept gives the digests of all that a checkpoint of keys has to hold: of a server not the image that
// it began from, but its own disk.
func (k *killing) kept(keys []string) []string {
	k.t.Helper()
	keys = slices.Clone(keys)
	var disks []string
	for _, key := range slices.Clone(keys) {
		kind, id, _ := strings.Cut(key, "#")
		if kind != servers {
			continue
		}
		var found struct {
			Server struct{ Image struct{ ID string } }
		}
		a := k.u.cloud.Do(k.t, k.u.token, "GET", k.u.where(key), nil)
		if err := json.Unmarshal(a.Body, &found); err != nil || found.Server.Image.ID == "" {
			k.t.Fatalf("server %s: %d %s", id, a.Status, a.Body)
		}
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == images+"#"+found.Server.Image.ID })
		if k.disks[key] == "" {
			k.disks[key] = k.u.disk(key)
		}
		disks = append(disks, images+" "+k.disks[key])
	}
	sums := append(k.u.digests(keys), disks...)
	slices.Sort(sums)
	return sums
}

// disk gives the digest of a server's disk.
func (u *tenant) disk(key string) string {
	u.t.Helper()
	a := u.cloud.Do(u.t, u.token, "POST", u.where(key)+"/action", map[string]any{"createImage": map[string]any{"name": "look"}},
		"X-OpenStack-Nova-API-Version", "2.45", "OpenStack-API-Version", "compute 2.45")
	var made struct {
		ID string `json:"image_id"`
	}
	if err := json.Unmarshal(a.Body, &made); err != nil || made.ID == "" {
		u.t.Fatalf("a look at the disk of %s: %d %s", key, a.Status, a.Body)
	}
	defer u.discard(images + "#" + made.ID)
	return u.digest(images + "#" + made.ID)
}

// contents gives the keys of what a checkpoint is of, and all that this depends on.
func (u *tenant) contents(checkpoint string) (keys []string) {
	u.t.Helper()
	list, _ := u.ask("GET", checkpoints(bankProvider)+"/"+checkpoint, "").body["checkpoint"].(map[string]any)["progress"].([]any)
	for _, item := range list {
		p, _ := item.(map[string]any)
		keys = append(keys, fmt.Sprint(p["type"], "#", p["id"]))
	}
	return keys
}

// judgeBytes restores the checkpoint of the episode, and compares.
func (k *killing) judgeBytes(map[string]any) {
	k.t.Helper()
	k.restoredWhole(k.checkpoint, append(k.fresh, k.standing...))
}

// restoredWhole restores a checkpoint of resources, compares each byte, and removes what was restored.
func (k *killing) restoredWhole(checkpoint string, of []resource) {
	k.t.Helper()
	keys := k.u.contents(checkpoint)
	for _, r := range of {
		if !slices.Contains(keys, r.key()) {
			k.problem("checkpoint %s has no %s, but %q", checkpoint, r.key(), keys)
		}
	}
	r := k.u.restored(k.u.restore(bankProvider, checkpoint))
	if r["status"] != "success" {
		k.problem("the restore of checkpoint %s is %v", checkpoint, r)
	}
	k.compared(keys, r)
}

// judgeRestored compares what the restore of the episode has made with what was protected.
func (k *killing) judgeRestored(outcome map[string]any) {
	k.t.Helper()
	k.compared(k.u.contents(k.whole), outcome)
}

// compared compares the bytes of what was protected with those of what was restored, and removes that.
func (k *killing) compared(originals []string, restore map[string]any) {
	k.t.Helper()
	states, _ := restore["resources_status"].(map[string]any)
	var made []string
	for _, kind := range []string{servers, volumes, images} { // in the order in which they can go
		for key := range states {
			if strings.HasPrefix(key, kind+"#") && !slices.Contains(originals, key) {
				made = append(made, key)
			}
		}
	}
	for _, kind := range []string{servers, volumes, images} {
		of := func(keys []string) (n int) {
			for _, key := range keys {
				if strings.HasPrefix(key, kind+"#") {
					n++
				}
			}
			return n
		}
		if of(made) != of(originals) {
			k.problem("of the type %s there were %d, and %d are restored: %v", kind, of(originals), of(made), restore)
		}
	}
	if diff := cmp.Diff(k.kept(originals), k.u.digests(made)); diff != "" {
		k.problem("other bytes are restored (-protected +restored):\n%s", diff)
	}
	for _, key := range made {
		if strings.HasPrefix(key, servers) {
			k.u.active(key[len(servers)+1:])
		}
		k.u.discard(key)
	}
}
