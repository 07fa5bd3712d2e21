package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/protectiontest"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := image.Plugin.Open(context.Background(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// content gives bytes that no other image has.
func content(n int) []byte {
	var out []byte
	for i := range n {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", n, i))
		out = append(out, sum[:]...)
	}
	return out
}

func makeImage(t *testing.T, tenant *protectiontest.Tenant, members map[string]any, data []byte) string {
	t.Helper()
	body := map[string]any{"name": "photo", "disk_format": "raw", "container_format": "bare", "visibility": "private"}
	maps.Copy(body, members)
	id, _ := tenant.Make(t, "image", "images", "", body)["id"].(string)
	tenant.Do(t, "image", http.MethodPut, "images/"+id+"/file", data)
	return id
}

var kept = []string{"os_hidden", "disk_format", "container_format", "min_disk", "min_ram", "tags", "os_distro", "hw_disk_bus", "own_property",
	"size", "checksum", "os_hash_value"}

// pick chooses members of an image. Its tags are a set, which Glance tells in any order.
func pick(from map[string]any, members []string) map[string]any {
	out := map[string]any{}
	for _, m := range members {
		out[m] = from[m]
		if list, ok := from[m].([]any); ok {
			out[m] = slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	return out
}

func TestImageComesBackWithItsPropertiesAndBytes(t *testing.T) {
	for kind, data := range repositorytest.Kinds() {
		t.Run(kind, func(t *testing.T) { comesBack(t, false, data) })
	}
}

// TestHiddenImageComesBack restores an image that Glance leaves out of its lists.
func TestHiddenImageComesBack(t *testing.T) { comesBack(t, true, nil) }

func comesBack(t *testing.T, hidden bool, kind func(t *testing.T) protection.Repository) {
	protectiontest.Run(t, caseOf(t, protectiontest.NewTenant(t), hidden, kind))
}

func caseOf(t *testing.T, tenant *protectiontest.Tenant, hidden bool, kind func(t *testing.T) protection.Repository) protectiontest.Case {
	t.Helper()
	data := content(10_000)
	return protectiontest.Case{
		Plugin: open(t, "{poll_interval: 20ms, timeout: 1m}"), Type: karbor.ImageType,
		Session: tenant.Session, Inventory: tenant.Inventory, Data: kind, Installation: "here",
		Make: func(t *testing.T) protectiontest.Source {
			id := makeImage(t, tenant, map[string]any{"min_disk": 1, "min_ram": 64, "tags": []string{"a", "b"}, "os_hidden": hidden,
				"os_distro": "debian", "hw_disk_bus": "scsi", "own_property": "x", "karbor_checkpoint_id": "earlier"}, data)
			original := tenant.Show(t, "image", "images/"+id, "")
			g := &karbor.Graph{}
			node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
			return protectiontest.Source{
				Graph: g, Key: node.Key(), Restore: map[string]any{"restore_name": "photo again"},
				Destroy: func(t *testing.T) { tenant.Remove(t, "image", "images/"+id, "") },
				Check: func(t *testing.T, restored protectiontest.Restored) {
					now := tenant.Show(t, "image", "images/"+restored.ID, "")
					if diff := cmp.Diff(pick(original, kept), pick(now, kept)); diff != "" {
						t.Errorf("the restored image differs (-original +restored):\n%s", diff)
					}
					if now[protection.RestoringTag] != nil {
						t.Error("the restored image is marked as one that is not whole")
					}
					if now["name"] != "photo again" || now["visibility"] != "private" {
						t.Errorf("name %v, visibility %v; want \"photo again\", private", now["name"], now["visibility"])
					}
					text, _ := tenant.Do(t, "image", http.MethodGet, "images/"+restored.ID+"/file", nil)["text"].(string)
					if !bytes.Equal([]byte(text), data) {
						t.Error("the restored image has other bytes")
					}
				},
			}
		},
	}
}

// TestServersDiskComesBackAsAnImage protects a server's image in its role: the
// disk as it is now, not the image that the server was made from.
func TestServersDiskComesBackAsAnImage(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	net, _ := tenant.Make(t, "network", "networks", "network", map[string]any{"name": "n"})["id"].(string)
	tenant.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": net, "ip_version": 4, "cidr": "10.1.0.0/24"})
	data := content(1_000)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t, "{poll_interval: 20ms, timeout: 1m}"), Type: karbor.ImageType,
		Session: tenant.Session, Inventory: tenant.Inventory, ChangesOnly: true,
		Make: func(t *testing.T) protectiontest.Source {
			id := makeImage(t, tenant, map[string]any{"os_distro": "debian", "own_property": "x", "tags": []string{"a"}}, data)
			original := tenant.Show(t, "image", "images/"+id, "")
			server, _ := tenant.Make(t, "compute", "servers", "server", map[string]any{
				"name": "shop", "flavorRef": "1", "imageRef": id, "networks": []any{map[string]any{"uuid": net}}})["id"].(string)
			tenant.Await(t, "compute", "servers/"+server, "server", "ACTIVE")
			disk := diskOf(t, tenant, server, original["os_hash_value"])
			g := &karbor.Graph{}
			node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, server)
			return protectiontest.Source{
				Graph: g, Key: node.Key(),
				Destroy: func(t *testing.T) {
					tenant.Remove(t, "compute", "servers/"+server, "server")
					tenant.Remove(t, "image", "images/"+id, "")
				},
				Check: func(t *testing.T, restored protectiontest.Restored) {
					now := tenant.Show(t, "image", "images/"+restored.ID, "")
					members := []string{"name", "os_distro", "own_property", "tags", "hw_disk_bus", "base_image_ref"}
					if diff := cmp.Diff(pick(original, members), pick(now, members)); diff != "" {
						t.Errorf("the restored image differs (-original +restored):\n%s", diff)
					}
					if now["os_hash_value"] != disk {
						t.Error("the restored image does not have the bytes of the server's disk")
					}
				},
			}
		},
	})
}

// diskOf gives the digest of a server's disk, by way of a snapshot.
func diskOf(t *testing.T, tenant *protectiontest.Tenant, server string, image any) string {
	t.Helper()
	// The guest writes into its disk a moment after the start, once: wait until it
	// has, that is until the disk is not the image any more, and the same twice: a look
	// may see half of what is being written.
	var last any
	for range 50 {
		answer := tenant.Do(t, "compute", http.MethodPost, "servers/"+server+"/action", map[string]any{"createImage": map[string]any{"name": "look"}})
		path := fmt.Sprintf("images/%v", answer["image_id"])
		tenant.Await(t, "image", path, "", "active")
		now := tenant.Show(t, "image", path, "")["os_hash_value"]
		tenant.Remove(t, "image", path, "")
		for range 1000 {
			if tenant.Show(t, "compute", "servers/"+server, "server")["OS-EXT-STS:task_state"] == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if now != image && now == last {
			return fmt.Sprint(now)
		}
		last = now
	}
	t.Fatal("the server's disk does not come to rest")
	return ""
}

func TestWithoutServerSnapshotTheImageItselfIsKept(t *testing.T) {
	with := open(t, "{enable_server_snapshot: true}").Hooks(karbor.Protect, karbor.ImageType)
	if with.PrepareFinish == nil {
		t.Error("there is no hook that takes the snapshot")
	}
	without := open(t, "{enable_server_snapshot: false}").Hooks(karbor.Protect, karbor.ImageType)
	if without.PrepareFinish != nil {
		t.Error("a hook that does nothing costs something")
	}
}
