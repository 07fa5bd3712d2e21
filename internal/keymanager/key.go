// Package keymanager reads and makes the keys of encrypted volumes in the tenant's name:
// secrets of Barbican. Source: the Key Manager API v1, and what Cinder and Glance do with
// the property cinder_encryption_key_id of an image.
package keymanager

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Properties of the image of an encrypted volume.
const (
	// Property names the secret that holds the key of the image's bytes.
	Property = "cinder_encryption_key_id"
	// PolicyProperty says what becomes of the secret when the image goes.
	PolicyProperty = "cinder_encryption_key_deletion_policy"
	// GoesAlong is the policy by which Glance deletes the secret with the image.
	GoesAlong = "on_image_deletion"
)

// maxPayload is the most bytes that Barbican keeps in a secret, by default.
const maxPayload = 20000

// Key is a key with what Barbican must know of it. It is a part of documents in a bank,
// where it must lie sealed (protection.Sealed): members are only ever added. It prints as
// *** everywhere but in JSON.
type Key struct {
	Payload   []byte `json:"payload"`
	Type      string `json:"secret_type"`
	Algorithm string `json:"algorithm"`
	BitLength int    `json:"bit_length"`
	Mode      string `json:"mode"`
}

// String implements fmt.Stringer.
func (Key) String() string { return "***" }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return "***" }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue("***") }

// Check reports what is wrong with a key that was kept.
func (k *Key) Check() error {
	if len(k.Payload) == 0 || len(k.Payload) > maxPayload {
		return karbor.Errorf(karbor.Internal, "the key of its encryption has %d bytes", len(k.Payload))
	}
	return nil
}

// Keep writes the key of a resource's bytes to the bank, whose documents must be sealed
// (protection.Sealed).
func Keep(ctx context.Context, call *protection.Call, key *Key) error {
	return call.Documents.CreateJSON(ctx, protection.KeyDocument, key)
}

// Kept gives the key that Keep has written.
func Kept(ctx context.Context, call *protection.Call) (*Key, error) {
	var key Key
	err := call.Documents.GetJSON(ctx, protection.KeyDocument, &key)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return nil, karbor.Errorf(karbor.Internal, "the key of its encryption is missing in the bank")
	}
	if err != nil {
		return nil, err
	}
	return &key, key.Check()
}

// Read gives the key that a secret holds, as the session's user reads it.
func Read(ctx context.Context, cloud karbor.Cloud, id string) (*Key, error) {
	if !karbor.IsUUID(id) {
		return nil, karbor.Errorf(karbor.Invalid, "%q is not the id of a secret", id)
	}
	client, err := openstack.KeyManager(ctx, cloud)
	if err != nil {
		return nil, err
	}
	var shown struct {
		Type      string  `json:"secret_type"`
		Algorithm *string `json:"algorithm"`
		BitLength *int    `json:"bit_length"`
		Mode      *string `json:"mode"`
	}
	if _, err := client.Get(ctx, client.ServiceURL("secrets", id), &shown, nil); err != nil {
		return nil, explain(err, "reading the secret %s", id)
	}
	answer, err := client.Get(ctx, client.ServiceURL("secrets", id, "payload"), nil, &gophercloud.RequestOpts{
		MoreHeaders: map[string]string{"Accept": "application/octet-stream"},
		OkCodes:     []int{http.StatusOK}, KeepResponseBody: true,
	})
	if err != nil {
		return nil, explain(err, "reading the payload of the secret %s", id)
	}
	payload, err := io.ReadAll(io.LimitReader(answer.Body, maxPayload+1))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, openstack.Explain(err, "reading the payload of the secret %s", id)
	}
	key := &Key{Payload: payload, Type: protection.First(shown.Type, "symmetric")}
	for to, from := range map[*string]*string{&key.Algorithm: shown.Algorithm, &key.Mode: shown.Mode} {
		if from != nil {
			*to = *from
		}
	}
	if shown.BitLength != nil {
		key.BitLength = *shown.BitLength
	}
	return key, key.Check()
}

// explain explains an error of Barbican's, which lets tenants need a role of its own.
func explain(err error, format string, args ...any) error {
	err = openstack.Explain(err, format, args...)
	if karbor.KindOf(err) != karbor.Forbidden {
		return err
	}
	return &karbor.Error{Kind: karbor.Forbidden, Cause: err,
		Message: karbor.Sentence(err) + " (the key manager may want the role \"creator\" in the project for this)"}
}

// Ensure gives the id of the secret that holds the key for the call's node, and makes it
// if there is none. Its name is the call's.
func Ensure(ctx context.Context, call *protection.Call, key *Key) (string, error) {
	client, err := openstack.KeyManager(ctx, call.Cloud)
	if err != nil {
		return "", err
	}
	find := func(ctx context.Context) (string, error) {
		ids, err := named(ctx, client, call)
		if err != nil || len(ids) == 0 {
			return "", err
		}
		return ids[0], nil
	}
	return openstack.Make(ctx, call, "secret", find, func(ctx context.Context) (string, error) {
		ask := map[string]any{"name": call.Name(), "secret_type": key.Type, "payload": base64.StdEncoding.EncodeToString(key.Payload),
			"payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}
		if key.Algorithm != "" {
			ask["algorithm"] = key.Algorithm
		}
		if key.BitLength > 0 {
			ask["bit_length"] = key.BitLength
		}
		if key.Mode != "" {
			ask["mode"] = key.Mode
		}
		var made struct {
			Ref string `json:"secret_ref"`
		}
		_, err := client.Post(ctx, client.ServiceURL("secrets"), ask, &made, &gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
		if err != nil {
			return "", explain(err, "making the secret that holds the key of %s %s", call.Node.Type.Word(), call.Node.ID)
		}
		return path.Base(made.Ref), nil
	})
}

// named gives the ids of the secrets that have the call's name.
func named(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	var list struct {
		Secrets []struct {
			Name string `json:"name"`
			Ref  string `json:"secret_ref"`
		} `json:"secrets"`
	}
	query := url.Values{"name": {call.Name()}, "limit": {"100"}}
	if _, err := client.Get(ctx, client.ServiceURL("secrets")+"?"+query.Encode(), &list, nil); err != nil {
		return nil, explain(err, "looking for the secrets made for %s", call.Node.ID)
	}
	var ids []string
	for _, s := range list.Secrets {
		if s.Name == call.Name() {
			ids = append(ids, path.Base(s.Ref))
		}
	}
	return ids, nil
}

// Remove removes the secrets that Ensure made for the call's node, and all clones of them: those
// that Cinder makes have the same name. It is for when no volume has one.
func Remove(ctx context.Context, call *protection.Call) error {
	client, err := openstack.KeyManager(ctx, call.Cloud)
	if err != nil {
		return err
	}
	ids, err := named(ctx, client, call)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := Drop(ctx, call.Cloud, id); err != nil {
			return err
		}
	}
	return nil
}

// Part removes the secret of an image's key, if that is to go with the image, and then takes from
// the image that it does: the image can go next. A Glance without a key manager would leave
// the secret; one with a key manager can't delete it for the token of a trust, and answers
// the delete of the image with an error as long as it is to.
func Part(ctx context.Context, cloud karbor.Cloud, client *gophercloud.ServiceClient, i images.Image) error {
	id := Along(i)
	if id == "" {
		return nil
	}
	// The key first: nothing but the image tells which it is.
	if err := Drop(ctx, cloud, id); err != nil {
		return err
	}
	return Loosen(ctx, client, i.ID)
}

// Along gives the id of the secret that is to go with an image; "" for none.
func Along(i images.Image) string {
	id, _ := i.Properties[Property].(string)
	if i.Properties[PolicyProperty] != GoesAlong {
		return ""
	}
	return id
}

// Loosen takes from an image that its secret is to go with it.
func Loosen(ctx context.Context, client *gophercloud.ServiceClient, image string) error {
	err := images.Update(ctx, client, image, images.UpdateOpts{images.UpdateImageProperty{Op: images.RemoveOp, Name: PolicyProperty}}).Err
	for _, refused := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict} {
		// A cloud that lets nobody change it may yet delete it, or an earlier run has been here.
		if gophercloud.ResponseCodeIs(err, refused) {
			return nil
		}
	}
	return openstack.Explain(err, "taking the key from image %s", image)
}

// Drop removes a secret; one that is gone is no error.
func Drop(ctx context.Context, cloud karbor.Cloud, id string) error {
	client, err := openstack.KeyManager(ctx, cloud)
	if err != nil {
		return err
	}
	response, err := client.Delete(ctx, client.ServiceURL("secrets", url.PathEscape(id)), &gophercloud.RequestOpts{OkCodes: []int{http.StatusNoContent, http.StatusOK}})
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return explain(err, "deleting the secret %s", id)
	}
	if response.Body == nil {
		return nil
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("deleting the secret %s: %w", id, err)
	}
	return nil
}
