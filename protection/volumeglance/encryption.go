package volumeglance

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// The bytes of the image of an encrypted volume are ciphertext (LUKS). Cinder gives the
// image a clone of the volume's key, which Glance deletes with the image; it lies in the
// bank, sealed, before that. For the restore the key is made again, and named by the
// temporary image: then Cinder copies the bytes as they are, and gives the new volume a
// clone of the key, if its type is an encrypted one.

// mayKeepKey reports why the key of an encrypted volume can't be kept.
func mayKeepKey(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) error {
	id := call.Node.ID
	if !protection.Sealed(call.Documents) {
		return karbor.Errorf(karbor.Invalid, "volume %s is encrypted, and the bank keeps documents in the clear, where its key must not lie: "+
			"the operator can give the bank keys, and Cinder backups and snapshots keep encrypted volumes in the cloud", id)
	}
	var shown struct {
		Key string `json:"encryption_key_id"`
	}
	if _, err := client.Get(ctx, client.ServiceURL("volumes", id, "encryption"), &shown, nil); err != nil {
		return openstack.Explain(err, "reading how volume %s is encrypted", id)
	}
	if shown.Key == "" {
		return karbor.Errorf(karbor.Invalid, "volume %s is encrypted, and the cloud tells no key of it", id)
	}
	// Better now than when hours of copying are over.
	if _, err := keymanager.Read(ctx, call.Cloud, shown.Key); err != nil {
		return fmt.Errorf("reading the key of volume %s: %w", id, err)
	}
	return nil
}

// keepKey keeps the key of the temporary image's bytes.
func keepKey(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, image string) error {
	i, err := images.Get(ctx, client, image).Extract()
	if err != nil {
		return openstack.Explain(err, "reading image %s, made for volume %s", image, call.Node.ID)
	}
	id, _ := i.Properties[keymanager.Property].(string)
	if id == "" {
		return karbor.Errorf(karbor.Conflict, "volume %s is encrypted, and the image %s, made of it, names no key: its bytes could not be read again", call.Node.ID, image)
	}
	key, err := keymanager.Read(ctx, call.Cloud, id)
	if err != nil {
		return fmt.Errorf("reading the key of volume %s: %w", call.Node.ID, err)
	}
	return keymanager.Keep(ctx, call, key)
}

// bringKey makes the secret with the key of an encrypted volume again, and gives what
// the temporary image says of it.
func bringKey(ctx context.Context, call *protection.Call, record *restoreRecord) (map[string]string, error) {
	key, err := keymanager.Kept(ctx, call)
	if err != nil {
		return nil, err
	}
	// Where there is no key manager, none has to be asked when this is undone.
	if _, err := openstack.KeyManager(ctx, call.Cloud); err != nil {
		return nil, err
	}
	record.Keyed = true
	if err := call.Scratch.Save(ctx, record); err != nil {
		return nil, err
	}
	id, err := keymanager.Ensure(ctx, call, key)
	if err != nil {
		return nil, err
	}
	return map[string]string{keymanager.Property: id, keymanager.PolicyProperty: keymanager.GoesAlong}, nil
}

// encryptedAgain fails a restore that gave an encrypted volume's bytes to a volume that
// is not encrypted: nobody could read them there. Which types encrypt, no tenant can ask.
func encryptedAgain(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	v, err := volumes.Get(ctx, client, id).Extract()
	if err != nil {
		return openstack.Explain(err, "reading volume %s, made for volume %s", id, call.Node.ID)
	}
	if !v.Encrypted {
		return karbor.Errorf(karbor.FailedDependency, "volume %s is encrypted, and the volume type %q does not encrypt: "+
			"map the volume type (volume_types) to one that does", call.Node.ID, v.VolumeType)
	}
	return nil
}

// lookAtKey is the part of a look ahead that is about the key.
func lookAtKey(ctx context.Context, call *protection.Call) error {
	if _, err := openstack.KeyManager(ctx, call.Cloud); err != nil {
		return err
	}
	_, err := keymanager.Kept(ctx, call)
	return err
}
