package volumeglance

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Image string `json:"image,omitempty"`
	// Uploaded says that the image has all its bytes, and the right ones.
	Uploaded bool `json:"uploaded,omitempty"`
	// Keyed says that a secret may have been made, which goes with the image once there is one.
	Keyed  bool   `json:"keyed,omitempty"`
	Volume string `json:"volume,omitempty"`
	// Place is there in a restore in place.
	Place *placeRecord `json:"place,omitempty"`
}

// restore is the Main hook of restore: bank, image, volume.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Volume == "" {
		ids, err := findVolumes(ctx, c.volume, call)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			record.Volume = ids[0]
		} else if err := r.build(ctx, c, call, doc, &record); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if doc.Encrypted {
		if err := encryptedAgain(ctx, c.volume, call, record.Volume); err != nil {
			return err
		}
	}
	volume, err := r.awaitVolume(ctx, c.volume, call, record.Volume)
	if err != nil {
		return err
	}
	if err := finish(ctx, c.volume, call, doc, volume); err != nil {
		return err
	}
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	if err := whole(ctx, c.volume, volume); err != nil {
		return err
	}
	// The image's key has gone with it. What else has its name, now, is the volume's.
	return call.NewResources.Set(ctx, record.Volume)
}

// build makes the image, and asks for the volume of it.
func (r *room) build(ctx context.Context, c clients, call *protection.Call, doc document, record *restoreRecord) error {
	if err := r.bring(ctx, c, call, doc, record); err != nil {
		return err
	}
	opts := volumes.CreateOpts{
		Name: call.RestoredName(doc.Name), Description: doc.Description,
		ImageID: record.Image, Metadata: map[string]string{},
	}
	for _, members := range []map[string]string{doc.Metadata, call.RestoringTags()} {
		maps.Copy(opts.Metadata, members)
	}
	const gib = 1 << 30
	summary, err := call.Data.Stat(ctx, dataName)
	if err != nil {
		return err
	}
	opts.Size = max(doc.Size, int((summary.Size+gib-1)/gib), 1)
	if opts.VolumeType, err = usableType(ctx, c.volume, call, doc); err != nil {
		return err
	}
	if opts.AvailabilityZone, err = usableZone(ctx, c.volume, call, doc.AvailabilityZone); err != nil {
		return err
	}
	find := func(ctx context.Context) (string, error) { return first(findVolumes(ctx, c.volume, call)) }
	h := protection.Holding{Kind: protection.HeldVolume, GiB: int64(opts.Size)}
	record.Volume, err = openstack.MakeRestored(ctx, call, h, "volume", find, func(ctx context.Context) (string, error) {
		v, err := volumes.Create(ctx, c.volume, opts, nil).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the volume that takes the place of volume %s", call.Node.ID)
		}
		return v.ID, nil
	})
	return err
}

// bring makes the temporary image, if it is not there with all its bytes.
func (r *room) bring(ctx context.Context, c clients, call *protection.Call, doc document, record *restoreRecord) error {
	if record.Uploaded {
		return nil
	}
	// What an interrupted run left half uploaded can't be gone on with.
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	id, err := r.upload(ctx, c.image, call, doc, record)
	if err != nil {
		return err
	}
	record.Image, record.Uploaded = id, true
	return call.Scratch.Save(ctx, record)
}

// upload makes the temporary image from the bank's bytes, and compares Glance's
// digest with the one that Glance gave when they were protected.
func (r *room) upload(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, record *restoreRecord) (string, error) {
	reader, err := call.Data.Open(ctx, dataName)
	if err != nil {
		return "", err
	}
	defer func() { _ = reader.Close() }()
	properties := map[string]string{}
	if doc.Encrypted {
		if properties, err = bringKey(ctx, call, record); err != nil {
			return "", err
		}
	}
	if record.Image, err = ensureImage(ctx, client, call, properties); err != nil {
		return "", err
	}
	if err := call.Hold(ctx, held(protection.HeldImage, record.Image, &doc)); err != nil {
		return "", err
	}
	if err := call.Scratch.Save(ctx, record); err != nil {
		return "", err
	}
	meter := &protection.Meter{Reader: reader, Total: reader.Summary().Size, Report: call.Progress}
	if err := openstack.UploadImage(ctx, client, record.Image, meter); err != nil {
		return "", fmt.Errorf("uploading the bytes of volume %s: %w", call.Node.ID, err)
	}
	got, err := r.awaitImage(ctx, client, call, record.Image)
	if err != nil {
		return "", err
	}
	same := got.Size == reader.Summary().Size
	if got.HashAlgo == doc.Image.HashAlgo && doc.Image.HashValue != "" {
		same = same && strings.EqualFold(got.HashValue, doc.Image.HashValue)
	} else if doc.Image.Checksum != "" {
		same = same && strings.EqualFold(got.Checksum, doc.Image.Checksum)
	}
	if !same {
		return "", karbor.Transientf("the image %s that was uploaded for volume %s does not have the size and digest of the protected bytes", record.Image, call.Node.ID)
	}
	return record.Image, nil
}

// ensureImage gives an image without bytes: a new one, or one that the cloud has made
// belatedly for an earlier run.
func ensureImage(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, properties map[string]string) (string, error) {
	maps.Copy(properties, call.TemporaryTags())
	find := func(ctx context.Context) (string, error) { return first(findImages(ctx, client, call)) }
	return openstack.Make(ctx, call, temporaryImage, find, func(ctx context.Context) (string, error) {
		private := images.ImageVisibilityPrivate
		i, err := images.Create(ctx, client, images.CreateOpts{
			Name: call.Name(), DiskFormat: "raw", ContainerFormat: "bare", Visibility: &private, Properties: properties,
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating a temporary image for volume %s", call.Node.ID)
		}
		return i.ID, nil
	})
}
