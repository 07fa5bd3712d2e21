package volumeglance_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// keyOf reads the key of an encrypted volume as the tenant, by way of its image.
func keyOf(t *testing.T, tenant *protectiontest.Tenant, volume string) string {
	t.Helper()
	shown := tenant.Do(t, "volume", http.MethodGet, "volumes/"+volume+"/encryption", nil)
	return fmt.Sprint(tenant.Do(t, "key", http.MethodGet, fmt.Sprintf("secrets/%v/payload", shown["encryption_key_id"]), nil)["text"])
}

// plaintext is what an encrypted volume begins with.
var plaintext = strings.Repeat("what is encrypted ", 10_000)

// makeEncrypted makes an encrypted volume.
func makeEncrypted(t *testing.T, tenant *protectiontest.Tenant) string {
	t.Helper()
	image := tenant.Make(t, "image", "images", "", map[string]any{"name": "base", "disk_format": "raw", "container_format": "bare"})
	path := fmt.Sprintf("images/%v", image["id"])
	tenant.Do(t, "image", http.MethodPut, path+"/file", []byte(plaintext))
	volume := tenant.Make(t, "volume", "volumes", "volume", map[string]any{
		"name": "safe", "size": 1, "imageRef": image["id"], "volume_type": "luks", "metadata": map[string]any{},
	})
	id := fmt.Sprint(volume["id"])
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	tenant.Remove(t, "image", path, "")
	return id
}

// encrypted makes an encrypted volume, and says how it is compared.
func encrypted(t *testing.T, tenant *protectiontest.Tenant) protectiontest.Source {
	t.Helper()
	return encryptedAs(t, tenant, makeEncrypted(t, tenant), func(t *testing.T, tenant *protectiontest.Tenant, volume string) string {
		return tenant.Sum(t, volume)
	})
}

// encryptedAs says how an encrypted volume is compared, where look gives its bytes.
func encryptedAs(t *testing.T, tenant *protectiontest.Tenant, id string, look func(*testing.T, *protectiontest.Tenant, string) string) protectiontest.Source {
	t.Helper()
	key, sum, original := keyOf(t, tenant, id), look(t, tenant, id), tenant.Show(t, "volume", "volumes/"+id, "volume")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "safe"}, "")
	return protectiontest.Source{
		Graph: g, Key: node.Key(),
		Destroy: func(t *testing.T) { tenant.Remove(t, "volume", "volumes/"+id, "volume") },
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := tenant.Show(t, "volume", "volumes/"+restored.ID, "volume")
			if now["encrypted"] != true || now["volume_type"] != original["volume_type"] || now["name"] != "safe" {
				t.Errorf("the restored volume is %v", now)
			}
			if got := keyOf(t, tenant, restored.ID); got != key || len(key) < 16 {
				t.Error("the restored volume has another key: its bytes can't be read")
			}
			if got := look(t, tenant, restored.ID); got != sum {
				t.Error("the restored volume has other bytes")
			}
			if len(restored.NotKept) > 0 {
				t.Errorf("not kept: %q", restored.NotKept)
			}
		},
	}
}

// TestEncryptedVolumeComesBackWithItsKey runs the whole suite: what dies with the image
// or lives on in the key manager is in the suite's inventory.
func TestEncryptedVolumeComesBackWithItsKey(t *testing.T) {
	small := newMiniature()
	tenant := protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: small, Inventory: maker.Inventory, Installation: "here",
		Data: repositorytest.Kinds()["repository/1"],
		Make: func(t *testing.T) protectiontest.Source { return encrypted(t, maker) },
	})
}

func TestEncryptedVolumeIsNotRestoredWhereNobodyCouldReadIt(t *testing.T) {
	small := newMiniature()
	tenant := protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	c := protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: small, Inventory: maker.Inventory, Installation: "here",
		Make: func(t *testing.T) protectiontest.Source {
			s := encrypted(t, maker)
			s.Restore = map[string]any{"restore_volume_types": map[string]any{"luks": "standard"}}
			return s
		},
	}
	if err := protectiontest.RefusedUnforeseen(t, c); err == nil || !strings.Contains(err.Error(), "does not encrypt") {
		t.Errorf("the error is %v", err)
	}
}

// inTheClear are documents that are not sealed.
type inTheClear struct{ protection.Documents }

func TestEncryptedVolumeIsRefusedWhereItsKeyWouldLieOpen(t *testing.T) {
	small := newMiniature()
	tenant := protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	source := encrypted(t, maker)
	before := maker.Inventory(t)
	hooks := open(t).Hooks(karbor.Protect, karbor.VolumeType)
	call := &protection.Call{
		Owner: karbor.NewID(), Graph: source.Graph, Node: source.Graph.Node(source.Key), Cloud: maker.Cloud,
		Documents: inTheClear{}, Scratch: noScratch{},
	}
	err := hooks.PrepareFinish(t.Context(), call)
	if err == nil || karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "in the clear") {
		t.Errorf("the error is %v", err)
	}
	if after := maker.Inventory(t); len(after) != len(before) {
		t.Errorf("the cloud has %q, not %q", after, before)
	}
}

// noScratch keeps nothing.
type noScratch struct{}

func (noScratch) Load(context.Context, any) error { return nil }
func (noScratch) Save(context.Context, any) error { return nil }
