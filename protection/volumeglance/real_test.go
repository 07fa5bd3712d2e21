//go:build openstack

package volumeglance_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection/protectiontest"
)

// atRealPace does not keep a real Glance from its work by asking how far that is.
const atRealPace = "{poll_interval: 500ms, timeout: 10m}"

func TestOpenStackVolumeComesBack(t *testing.T) {
	protectiontest.EachVolumeType(t, func(t *testing.T, tenant *protectiontest.Tenant) {
		c := protectiontest.Case{
			Plugin: openWith(t, atRealPace), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Data: repositorytest.Kinds()["repository/1"],
			Make: func(t *testing.T) protectiontest.Source { return source(t, tenant) },
		}
		if tenant.VolumeType == "" {
			protectiontest.Life(t, c)
		} else {
			protectiontest.RoundTrip(t, c) // what differs is where the bytes come from
		}
	})
}

// TestOpenStackEncryptedVolumeComesBackWithItsKey has real ciphertext (LUKS): who restores the
// bytes, but not the key to them, restores nothing.
func TestOpenStackEncryptedVolumeComesBackWithItsKey(t *testing.T) {
	tenant := protectiontest.RealTenant(t)
	protectiontest.Life(t, protectiontest.Case{
		Plugin: openWith(t, atRealPace), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Data: repositorytest.Kinds()["repository/1"],
		Make: func(t *testing.T) protectiontest.Source {
			return encryptedAs(t, tenant, makeEncrypted(t, tenant), decrypted)
		},
	})
}

// decrypted gives the digest of an encrypted volume's ciphertext, by way of an image, and fails
// the test unless qemu-img opens that with the key which the tenant reads from the key manager.
func decrypted(t *testing.T, tenant *protectiontest.Tenant, volume string) string {
	t.Helper()
	answer := tenant.Do(t, "volume", http.MethodPost, "volumes/"+volume+"/action",
		map[string]any{"os-volume_upload_image": map[string]any{"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
	upload, _ := answer["os-volume_upload_image"].(map[string]any)
	path := fmt.Sprintf("images/%v", upload["image_id"])
	tenant.Await(t, "image", path, "", "active")
	shown := tenant.Show(t, "image", path, "")
	dir := t.TempDir()
	cipher, secret, plain := filepath.Join(dir, "cipher"), filepath.Join(dir, "secret"), filepath.Join(dir, "plain")
	const enough = 8 << 20 // the header, and what follows it
	begin(t, tenant, path+"/file", cipher, enough)
	tenant.Remove(t, "image", path, "")
	tenant.Await(t, "volume", "volumes/"+volume, "volume", "available")
	// Nova and os-brick take the key's hexadecimal digits for the passphrase, too.
	if err := os.WriteFile(secret, []byte(hex.EncodeToString([]byte(keyOf(t, tenant, volume)))), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), "qemu-img", "convert", "--object", "secret,id=key,file="+secret,
		"--image-opts", "driver=luks,key-secret=key,file.driver=file,file.filename="+cipher, "-O", "raw", plain).CombinedOutput()
	if err != nil {
		t.Fatalf("decrypting volume %s: %v\n%s", volume, err, said)
	}
	text, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), plaintext) {
		t.Errorf("decrypted with its key, volume %s begins with %.40q", volume, text)
	}
	return fmt.Sprint(shown["os_hash_value"])
}

// begin reads the first bytes of an image into a file.
func begin(t *testing.T, tenant *protectiontest.Tenant, path, file string, n int64) {
	t.Helper()
	client, err := openstack.Image(t.Context(), tenant.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(t.Context(), client.ServiceURL(path), nil, &gophercloud.RequestOpts{KeepResponseBody: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(out, response.Body, n)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}
