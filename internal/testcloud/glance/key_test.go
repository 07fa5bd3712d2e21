package glance_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// TestImageThatTakesItsKeyAlongIsNotDeletedByATrust is what Glance with a key manager does: it
// asks Keystone for a token of its own, with that of the request.
func TestImageThatTakesItsKeyAlongIsNotDeletedByATrust(t *testing.T) {
	c := testcloudtest.Start(t)
	demo, _ := c.User("demo")
	karbor, _ := c.User("karbor")
	own := c.Client(t, "demo").Token()
	made := func(a testcloudtest.Answer, into any) {
		t.Helper()
		if err := json.Unmarshal(a.Body, into); err != nil || a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	var trust struct{ Trust struct{ ID string } }
	made(c.Do(t, own, "POST", "/v3/OS-TRUST/trusts", map[string]any{"trust": map[string]any{
		"trustor_user_id": demo.ID, "trustee_user_id": karbor.ID, "project_id": demo.ProjectID, "impersonation": true,
		"roles": []any{map[string]any{"name": "member"}}}}), &trust)
	a := c.Do(t, "", "POST", "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"id": karbor.ID, "password": karbor.Password}}},
		"scope": map[string]any{"OS-TRUST:trust": map[string]any{"id": trust.Trust.ID}}}})
	through := a.Header.Get("X-Subject-Token")
	var image struct{ ID string }
	made(c.Do(t, own, "POST", "/image/v2/images", map[string]any{"name": "cipher", "disk_format": "raw", "container_format": "bare",
		"cinder_encryption_key_id": "00000000-0000-4000-8000-000000000001", "cinder_encryption_key_deletion_policy": "on_image_deletion"}), &image)
	path := "/image/v2/images/" + image.ID
	if a := c.Do(t, through, "DELETE", path, nil); a.Status != http.StatusInternalServerError {
		t.Errorf("by a trust: %d %s", a.Status, a.Body)
	}
	patch := []any{map[string]any{"op": "remove", "path": "/cinder_encryption_key_deletion_policy"}}
	if a := c.Do(t, through, "PATCH", path, patch, "Content-Type", "application/openstack-images-v2.1-json-patch"); a.Status != http.StatusOK {
		t.Fatalf("taking the policy away: %d %s", a.Status, a.Body)
	}
	if a := c.Do(t, through, "DELETE", path, nil); a.Status != http.StatusNoContent {
		t.Errorf("without the policy: %d %s", a.Status, a.Body)
	}
}
