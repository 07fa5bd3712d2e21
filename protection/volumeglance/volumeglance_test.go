package volumeglance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/volumeglance"
)

func open(t *testing.T) protection.Plugin {
	t.Helper()
	return openWith(t, "{poll_interval: 2ms, timeout: 2m}")
}

func openWith(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := volumeglance.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// makeVolume makes a bootable volume whose first bytes are an image's.
func makeVolume(t *testing.T, tenant *protectiontest.Tenant) string {
	t.Helper()
	image := tenant.Make(t, "image", "images", "", map[string]any{
		"name": "base", "disk_format": "raw", "container_format": "bare", "visibility": "private", "os_distro": "debian", "hw_disk_bus": "virtio",
	})
	path := fmt.Sprintf("images/%v", image["id"])
	tenant.Do(t, "image", http.MethodPut, path+"/file", []byte(strings.Repeat("the volume's bytes ", 10_000)))
	volume := tenant.Make(t, "volume", "volumes", "volume", tenant.Typed(map[string]any{
		"name": "disk", "description": "of the shop", "size": 1, "imageRef": image["id"],
		"metadata": map[string]any{"tier": "gold", "karbor_resource_id": "earlier"},
	}))
	id, _ := volume["id"].(string)
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	tenant.Remove(t, "image", path, "")
	return id
}

func pick(from map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []string{"description", "size", "volume_type", "bootable", "availability_zone", "volume_image_metadata", "encrypted"} {
		out[m] = from[m]
	}
	own := map[string]any{}
	metadata, _ := from["metadata"].(map[string]any)
	for k, v := range metadata {
		if !strings.HasPrefix(k, "karbor_") || k == protection.RestoringTag {
			own[k] = v
		}
	}
	out["metadata"] = own
	return out
}

// source makes a volume, and says how it is compared.
func source(t *testing.T, tenant *protectiontest.Tenant) protectiontest.Source {
	t.Helper()
	id := makeVolume(t, tenant)
	sum := tenant.Sum(t, id)
	original := tenant.Show(t, "volume", "volumes/"+id, "volume")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "disk"}, "")
	return protectiontest.Source{
		Graph: g, Key: node.Key(),
		Destroy: func(t *testing.T) { tenant.Remove(t, "volume", "volumes/"+id, "volume") },
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := tenant.Show(t, "volume", "volumes/"+restored.ID, "volume")
			if diff := cmp.Diff(pick(original), pick(now)); diff != "" {
				t.Errorf("the restored volume differs (-original +restored):\n%s", diff)
			}
			if now["name"] != "disk" || now["status"] != "available" {
				t.Errorf("name %v, status %v; want disk, available", now["name"], now["status"])
			}
			if got := tenant.Sum(t, restored.ID); got != sum {
				t.Error("the restored volume has other bytes")
			}
		},
	}
}

// TestVolumeComesBackWithItsPropertiesAndBytes runs the whole suite with volumes
// of few bytes.
func TestVolumeComesBackWithItsPropertiesAndBytes(t *testing.T) {
	for kind, data := range repositorytest.Kinds() {
		t.Run(kind, func(t *testing.T) { comesBack(t, data) })
	}
}

func comesBack(t *testing.T, data func(t *testing.T) protection.Repository) {
	small := newMiniature()
	tenant := protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: small, Inventory: maker.Inventory, Installation: "here", Data: data,
		Make: func(t *testing.T) protectiontest.Source { return source(t, maker) },
	})
}

// TestVolumeOfAGibibyteComesBack is one round trip with the test cloud's own
// volumes, which are as large as real ones.
func TestVolumeOfAGibibyteComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves eight GiB")
	}
	tenant := protectiontest.NewTenant(t)
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Data: repositorytest.Kinds()["repository/1"],
		Make: func(t *testing.T) protectiontest.Source { return source(t, tenant) },
	})
}
