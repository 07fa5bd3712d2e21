package image_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// keyBytes is the key of what is encrypted.
const keyBytes = "0123456789abcdef 0123456789abcde"

// makeSecret makes a secret with the bytes of a key.
func makeSecret(t *testing.T, tenant *protectiontest.Tenant, key string) string {
	t.Helper()
	made := tenant.Do(t, "key", http.MethodPost, "secrets", map[string]any{"name": "cinder", "secret_type": "symmetric", "algorithm": "aes", "bit_length": 256,
		"payload": base64.StdEncoding.EncodeToString([]byte(key)), "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"})
	return path.Base(fmt.Sprint(made["secret_ref"]))
}

// cipher is an image as Cinder makes one of an encrypted volume.
type cipher struct {
	tenant        *protectiontest.Tenant
	image, secret string
	policy        any
}

func makeCipher(t *testing.T, tenant *protectiontest.Tenant, policy string) *cipher {
	t.Helper()
	c := &cipher{tenant: tenant, secret: makeSecret(t, tenant, keyBytes)}
	members := map[string]any{"own_property": "x", keymanager.Property: c.secret}
	if policy != "" {
		c.policy, members[keymanager.PolicyProperty] = policy, policy
	}
	c.image = makeImage(t, tenant, members, content(1000))
	return c
}

func (c *cipher) remove(t *testing.T) {
	t.Helper()
	c.tenant.Remove(t, "image", "images/"+c.image, "")
	c.tenant.Remove(t, "key", "secrets/"+c.secret, "")
}

// keyOf gives the secret that an image names, and the bytes that it holds.
func keyOf(t *testing.T, tenant *protectiontest.Tenant, image string) (secret, key string) {
	t.Helper()
	secret = fmt.Sprint(tenant.Show(t, "image", "images/"+image, "")[keymanager.Property])
	return secret, fmt.Sprint(tenant.Do(t, "key", http.MethodGet, "secrets/"+secret+"/payload", nil)["text"])
}

func (c *cipher) source(t *testing.T) protectiontest.Source {
	t.Helper()
	original := c.tenant.Show(t, "image", "images/"+c.image, "")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: c.image, Name: "photo"}, "")
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Destroy: c.remove,
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := c.tenant.Show(t, "image", "images/"+restored.ID, "")
			if diff := cmp.Diff(pick(original, kept), pick(now, kept)); diff != "" {
				t.Errorf("the restored image differs (-original +restored):\n%s", diff)
			}
			text, _ := c.tenant.Do(t, "image", http.MethodGet, "images/"+restored.ID+"/file", nil)["text"].(string)
			if !bytes.Equal([]byte(text), content(1000)) {
				t.Error("the restored image has other bytes")
			}
			if secret, key := keyOf(t, c.tenant, restored.ID); key != keyBytes || secret == c.secret {
				t.Errorf("its secret is %s, the original's %s, with the key %q", secret, c.secret, key)
			}
			if now[keymanager.PolicyProperty] != c.policy {
				t.Errorf("what becomes of the key with the image: %v, want %v", now[keymanager.PolicyProperty], c.policy)
			}
		},
	}
}

// TestImageOfAnEncryptedVolumeComesBackWithItsKey runs the whole suite: the secrets are in
// its inventory.
func TestImageOfAnEncryptedVolumeComesBackWithItsKey(t *testing.T) {
	for name, policy := range map[string]string{"that goes along": keymanager.GoesAlong, "that stays": "do_not_delete", "of which nothing is said": ""} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			run := protectiontest.Run
			if policy == "do_not_delete" {
				run = protectiontest.Life
			}
			run(t, protectiontest.Case{
				Plugin: open(t, "{poll_interval: 20ms, timeout: 1m}"), Type: karbor.ImageType, Session: tenant.Session, Inventory: tenant.Inventory,
				Data: repositorytest.Kinds()["repository/1"], ChangesOnly: policy == "",
				Make: func(t *testing.T) protectiontest.Source { return makeCipher(t, tenant, policy).source(t) },
			})
		})
	}
}

// protected protects an image, and gives what restores it.
func (c *cipher) protected(t *testing.T) (*protectiontest.Single, protection.Hooks) {
	t.Helper()
	p := open(t, "{poll_interval: 20ms, timeout: 1m}")
	single := protectiontest.NewSingle(p, c.source(t))
	if err := single.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, single.Begin(c.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	return single, p.Hooks(karbor.RestoreOperation, karbor.ImageType)
}

func TestTwoRestoresOfAnEncryptedImageHaveTwoKeysAndAVolumeOpensWithEach(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	c := makeCipher(t, tenant, keymanager.GoesAlong)
	single, hooks := c.protected(t)
	c.remove(t)
	var secrets, images []string
	var calls []*protection.Call
	for range 2 {
		call := single.Begin(tenant.Cloud, nil, nil)
		if err := single.Run(t, hooks.Main, call); err != nil {
			t.Fatal(err)
		}
		id := single.Result().ID
		secret, key := keyOf(t, tenant, id)
		if key != keyBytes {
			t.Errorf("image %s has the key %q", id, key)
		}
		secrets, images, calls = append(secrets, secret), append(images, id), append(calls, call)
	}
	if secrets[0] == secrets[1] {
		t.Error("two images share one secret, which goes with either")
	}
	volume := fmt.Sprint(tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "safe", "size": 1, "imageRef": images[0], "volume_type": "luks"})["id"])
	tenant.Await(t, "volume", "volumes/"+volume, "volume", "available")
	// Undone while a volume that was made of the image has a clone of the key.
	for _, call := range calls {
		if err := single.Run(t, hooks.Undo, call); err != nil {
			t.Fatal(err)
		}
	}
	shown := tenant.Do(t, "volume", http.MethodGet, "volumes/"+volume+"/encryption", nil)
	if key := tenant.Do(t, "key", http.MethodGet, fmt.Sprintf("secrets/%v/payload", shown["encryption_key_id"]), nil)["text"]; key != keyBytes {
		t.Errorf("the volume has the key %q", key)
	}
	for _, secret := range secrets {
		if tenant.Show(t, "key", "secrets/"+secret, "") != nil {
			t.Errorf("the secret %s is left", secret)
		}
	}
}

func TestEncryptedImageIsUsedAgainOnlyWithTheSameKey(t *testing.T) {
	for name, other := range map[string]bool{"the same": false, "another": true} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			c := makeCipher(t, tenant, keymanager.GoesAlong)
			single, hooks := c.protected(t)
			if other {
				c.remove(t)
				makeImage(t, tenant, map[string]any{"own_property": "x", keymanager.Property: makeSecret(t, tenant, strings.ToUpper(keyBytes)),
					keymanager.PolicyProperty: keymanager.GoesAlong}, content(1000))
			}
			if err := single.Run(t, hooks.Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			id := single.Result().ID
			if used := id == c.image; used == other {
				t.Errorf("the restore gives %s, the original is %s", id, c.image)
			}
			if _, key := keyOf(t, tenant, id); key != keyBytes {
				t.Errorf("the image has the key %q", key)
			}
		})
	}
}

// inTheClear are documents that are not sealed.
type inTheClear struct{ protection.Documents }

func TestEncryptedImageWhoseKeyCanNotBeKeptIsRefusedAndNothingIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, c *cipher, call *protection.Call)
		kind  karbor.Kind
		words []string
	}{
		"an open bank": {func(_ *testing.T, _ *cipher, call *protection.Call) { call.Documents = inTheClear{call.Documents} },
			karbor.Invalid, []string{"in the clear", "leave the image out"}},
		"a secret that is gone": {func(t *testing.T, c *cipher, _ *protection.Call) { c.tenant.Remove(t, "key", "secrets/"+c.secret, "") },
			karbor.NotFound, []string{"key of image", "secret"}},
		"a secret that may not be read": {func(t *testing.T, c *cipher, _ *protection.Call) {
			c.tenant.Fault(t, fabric.Fault{Service: "barbican", Path: "/payload$", Status: 403})
		}, karbor.Forbidden, []string{"key of image", "creator"}},
		"no key manager": {func(_ *testing.T, _ *cipher, call *protection.Call) { call.Cloud = call.Service },
			karbor.Invalid, []string{"ciphertext whose key can't be kept", "leave the image out"}},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			one := makeCipher(t, tenant, keymanager.GoesAlong)
			p := open(t, "{poll_interval: 20ms, timeout: 1m}")
			single := protectiontest.NewSingle(p, one.source(t))
			call := single.Begin(tenant.Cloud, nil, nil)
			call.Service = tenant.Session(t, &http.Client{Transport: protectiontest.Keyless{}})
			c.spoil(t, one, call)
			before := tenant.Inventory(t)
			err := single.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, call)
			if err == nil || karbor.KindOf(err) != c.kind || karbor.IsTransient(err) || slices.ContainsFunc(c.words, func(w string) bool { return !strings.Contains(err.Error(), w) }) {
				t.Errorf("the error is %v", err)
			}
			if _, err := call.Data.Stat(t.Context(), "data"); karbor.KindOf(err) != karbor.NotFound {
				t.Errorf("the bytes are kept: %v", err)
			}
			if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestEncryptedImageGoesIntoNoCloudWithoutAKeyManager(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	c := makeCipher(t, tenant, keymanager.GoesAlong)
	single, hooks := c.protected(t)
	c.remove(t)
	before := tenant.Inventory(t)
	call := single.Begin(tenant.Session(t, &http.Client{Transport: protectiontest.Keyless{}}), nil, nil)
	forecast, err := hooks.Preflight(t.Context(), call)
	if err != nil || !slices.ContainsFunc(forecast.Findings, func(f protection.Finding) bool {
		return f.Severity == protection.SeverityError && strings.Contains(f.Remedy, "keep keys")
	}) {
		t.Errorf("looking ahead finds %+v, %v", forecast, err)
	}
	if err := single.Run(t, hooks.Main, call); karbor.KindOf(err) != karbor.NotImplemented || err == nil {
		t.Errorf("the restore gives %v", err)
	}
	if err := protection.Undo(context.WithoutCancel(t.Context()), hooks.Undo, call); err != nil {
		t.Errorf("undoing it: %v", err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}
