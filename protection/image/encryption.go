package image

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// The bytes of an image that was made of an encrypted volume are ciphertext (LUKS), and the
// image names the secret that holds their key. The key lies in the bank, sealed, before the
// bytes. A restore makes a secret of its own with it, which the new image names: so each
// image has one that nothing else needs, and that may go with it.

// keyOf gives the id of the secret that holds the key of an image's bytes, or "".
func keyOf(i *images.Image) string {
	id, _ := i.Properties[keymanager.Property].(string)
	return id
}

// keepKey keeps the key of an encrypted image's bytes.
func keepKey(ctx context.Context, call *protection.Call, id string) error {
	if !protection.Sealed(call.Documents) {
		return karbor.Errorf(karbor.Invalid, "image %s is of an encrypted volume, and the bank keeps documents in the clear, where the key of its bytes must not lie: "+
			"the operator can give the bank keys, or you leave the image out of the plan", call.Node.ID)
	}
	key, err := keymanager.Read(ctx, call.Cloud, id)
	if karbor.KindOf(err) == karbor.NotImplemented {
		return karbor.Errorf(karbor.Invalid, "image %s is of an encrypted volume: its bytes are ciphertext whose key can't be kept, as %s: leave the image out of the plan",
			call.Node.ID, karbor.Sentence(err))
	}
	if err != nil {
		return fmt.Errorf("reading the key of image %s: %w", call.Node.ID, err)
	}
	return keymanager.Keep(ctx, call, key)
}

// lookAtKey is the part of a look ahead that is about the key.
func lookAtKey(ctx context.Context, call *protection.Call, doc document) error {
	if !doc.Encrypted {
		return nil
	}
	if _, err := openstack.KeyManager(ctx, call.Cloud); err != nil {
		return err
	}
	_, err := keymanager.Kept(ctx, call)
	return err
}

// keyToBring gives the key of an encrypted image's bytes, nil for an image that is not, where
// a secret can be made with it.
func keyToBring(ctx context.Context, call *protection.Call, doc document) (*keymanager.Key, error) {
	if !doc.Encrypted {
		return nil, nil
	}
	if _, err := openstack.KeyManager(ctx, call.Cloud); err != nil {
		return nil, err
	}
	return keymanager.Kept(ctx, call)
}

// bringKey makes the secret with the key, and has the new image name it. What becomes of it
// when the image goes is as with the original.
func bringKey(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, key *keymanager.Key, record *restoreRecord) (err error) {
	record.Keyed = true
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	if record.Secret, err = keymanager.Ensure(ctx, call, key); err != nil {
		return err
	}
	// Before the image names it: from then on others may have clones of it.
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	says := images.UpdateOpts{images.UpdateImageProperty{Op: images.AddOp, Name: keymanager.Property, Value: record.Secret}}
	if doc.KeyPolicy != "" {
		says = append(says, images.UpdateImageProperty{Op: images.AddOp, Name: keymanager.PolicyProperty, Value: doc.KeyPolicy})
	}
	return openstack.Explain(images.Update(ctx, client, record.Image, says).Err, "naming the key of image %s, made for image %s", record.Image, call.Node.ID)
}

// sameKey reports whether the secret that an image names, if it does, holds the key of the
// protected bytes. One that can't be read does not count.
func sameKey(ctx context.Context, call *protection.Call, doc document, i *images.Image) (bool, error) {
	if !doc.Encrypted {
		return true, nil // described alike, it names none
	}
	key, err := keymanager.Kept(ctx, call)
	if err != nil {
		return false, err
	}
	there, err := keymanager.Read(ctx, call.Cloud, keyOf(i))
	if ctx.Err() != nil || karbor.IsTransient(err) {
		return false, err
	}
	return err == nil && slices.Equal(key.Payload, there.Payload), nil
}

// removeKey removes the secret that the restore has made, when its images are gone.
func removeKey(ctx context.Context, call *protection.Call, record restoreRecord) error {
	switch {
	case record.Secret != "":
		// By its id alone: a volume that somebody has made of the image meanwhile has a clone
		// of the same name.
		return keymanager.Drop(ctx, call.Cloud, record.Secret)
	case record.Keyed:
		return keymanager.Remove(ctx, call) // no image has named it
	default:
		return nil
	}
}

// part readies an image that the restore has made for its deletion: see keymanager.Part.
func part(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, i images.Image) error {
	if err := keymanager.Part(ctx, call.Cloud, client, i); err != nil {
		return fmt.Errorf("removing the key of image %s, made for image %s: %w", i.ID, call.Node.ID, err)
	}
	return nil
}
