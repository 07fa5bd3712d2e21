package keymanager_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestKeyGoesBeforeItsImageWhichKeepsNoPolicy(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	made := tenant.Do(t, "key", http.MethodPost, "secrets", map[string]any{"name": "k", "secret_type": "symmetric",
		"payload": base64.StdEncoding.EncodeToString([]byte("a key of some bytes")), "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"})
	secret := path.Base(fmt.Sprint(made["secret_ref"]))
	id := fmt.Sprint(tenant.Make(t, "image", "images", "", map[string]any{"name": "cipher", "disk_format": "raw", "container_format": "bare",
		keymanager.Property: secret, keymanager.PolicyProperty: keymanager.GoesAlong})["id"])
	client, err := openstack.Image(t.Context(), tenant.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	image, err := images.Get(t.Context(), client, id).Extract()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is as after a kill
		if err := keymanager.Part(t.Context(), tenant.Cloud, client, *image); err != nil {
			t.Fatal(err)
		}
		if tenant.Show(t, "key", "secrets/"+secret, "") != nil {
			t.Error("the secret is still there")
		}
		if now := tenant.Show(t, "image", "images/"+id, ""); now[keymanager.PolicyProperty] != nil {
			t.Errorf("the image is %v", now)
		}
	}
	other, err := images.Get(t.Context(), client, id).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := keymanager.Part(t.Context(), tenant.Cloud, client, *other); err != nil {
		t.Errorf("an image that takes no key along: %v", err)
	}
}
