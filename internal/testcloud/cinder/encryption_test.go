package cinder_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// keyOf gives the secret of an encrypted volume's key, as its tenant reads it.
func (b bench) keyOf(t *testing.T, volume string) string {
	t.Helper()
	var shown struct {
		Key string `json:"encryption_key_id"`
	}
	a := b.Do(t, b.cinder.TokenID, "GET", "/volume/v3/"+b.Projects().Demo+"/volumes/"+volume+"/encryption", nil)
	if err := json.Unmarshal(a.Body, &shown); err != nil || shown.Key == "" {
		t.Fatalf("the volume has the encryption %s", a.Body)
	}
	return shown.Key
}

// payload gives what a secret holds; "" if it is not there.
func (b bench) payload(t *testing.T, id string) string {
	t.Helper()
	a := b.Do(t, b.cinder.TokenID, "GET", "/key-manager/v1/secrets/"+id+"/payload", nil)
	if a.Status == 404 {
		return ""
	}
	if a.Status != 200 || len(a.Body) == 0 {
		t.Fatalf("the payload of secret %s: %d %s", id, a.Status, a.Body)
	}
	return string(a.Body)
}

// secrets counts those of the project.
func (b bench) secrets(t *testing.T) int {
	t.Helper()
	var list struct{ Total int }
	if err := json.Unmarshal(b.Do(t, b.cinder.TokenID, "GET", "/key-manager/v1/secrets?limit=1", nil).Body, &list); err != nil {
		t.Fatal(err)
	}
	return list.Total
}

func TestKeysOfEncryptedVolumesAreClonedAndGo(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1, VolumeType: "luks"})
	if !v.Encrypted {
		t.Error("the volume is not encrypted")
	}
	key := b.payload(t, b.keyOf(t, v.ID))
	clone := b.volume(t, volumes.CreateOpts{Size: 1, SnapshotID: b.snapshot(t, v.ID)})
	if id := b.keyOf(t, clone.ID); id == b.keyOf(t, v.ID) || b.payload(t, id) != key {
		t.Error("a volume of a snapshot has no clone of the key")
	}
	upload, err := volumes.UploadImage(t.Context(), b.cinder, v.ID, volumes.UploadImageOpts{ImageName: "cipher", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	image, err := images.Get(t.Context(), b.glance, upload.ImageID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	ofImage := fmt.Sprint(image.Properties["cinder_encryption_key_id"])
	if b.payload(t, ofImage) != key || image.Properties["cinder_encryption_key_deletion_policy"] != "on_image_deletion" {
		t.Errorf("the image has the properties %v", image.Properties)
	}
	b.await(t, v.ID, "available")
	again := b.volume(t, volumes.CreateOpts{Size: 1, VolumeType: "luks", ImageID: image.ID})
	if b.payload(t, b.keyOf(t, again.ID)) != key {
		t.Error("a volume of the image has another key")
	}
	plain := b.volume(t, volumes.CreateOpts{Size: 1, ImageID: image.ID})
	if plain.Encrypted {
		t.Error("a volume of the plain type is encrypted")
	}
	if err := images.Delete(t.Context(), b.glance, image.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	if b.payload(t, ofImage) != "" {
		t.Error("the image's key outlives it")
	}
	for _, id := range []string{again.ID, clone.ID} {
		if err := volumes.Delete(t.Context(), b.cinder, id, volumes.DeleteOpts{}).ExtractErr(); err != nil {
			t.Fatal(err)
		}
	}
	testcloudtest.Await(t, "one key left", func() bool { return b.secrets(t) == 1 })
}

func TestEncryptedVolumesAreNotForSeveralServers(t *testing.T) {
	b := start(t)
	a := b.Do(t, b.cinder.TokenID, "POST", "/volume/v3/"+b.Projects().Demo+"/volumes",
		strings.NewReader(`{"volume":{"size":1,"volume_type":"luks","multiattach":true}}`))
	if a.Status != 400 || b.secrets(t) != 0 {
		t.Errorf("%d %s, %d secrets", a.Status, a.Body, b.secrets(t))
	}
}

func TestSecretsAreForTheirProjectsMembers(t *testing.T) {
	b := start(t)
	body := `{"name":"key","secret_type":"symmetric","algorithm":"aes","bit_length":128,"payload":"` +
		base64.StdEncoding.EncodeToString([]byte("0123456789abcdef")) + `","payload_content_type":"application/octet-stream","payload_content_encoding":"base64"}`
	a := b.Do(t, b.cinder.TokenID, "POST", "/key-manager/v1/secrets", strings.NewReader(body))
	var made struct {
		Ref string `json:"secret_ref"`
	}
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	_, id, _ := strings.Cut(made.Ref, "/secrets/")
	if got := b.payload(t, id); got != "0123456789abcdef" {
		t.Errorf("the payload is %q", got)
	}
	path := "/key-manager/v1/secrets/" + id
	for user, want := range map[string]int{"other": 403, "demo-reader": 403} {
		for _, p := range []string{path, path + "/payload"} {
			if a := b.Do(t, b.Client(t, user).TokenID, "GET", p, nil); a.Status != want {
				t.Errorf("%s reads %s: %d", user, p, a.Status)
			}
		}
	}
	if a := b.Do(t, b.Client(t, "other").TokenID, "GET", "/key-manager/v1/secrets?name=key", nil); strings.Contains(string(a.Body), id) {
		t.Errorf("another project's list has it: %s", a.Body)
	}
	if a := b.Do(t, b.cinder.TokenID, "DELETE", path, nil); a.Status != 204 || b.payload(t, id) != "" {
		t.Errorf("it is there after %d", a.Status)
	}
}
