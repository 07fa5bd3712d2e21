package volumeglance

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// temporaryImage is what tenants read of the image when the cloud gives no answer.
const temporaryImage = "temporary image"

// findImages gives the ids of the images that the call's hooks made. An upload
// can't be tagged, so the name, which holds the owner's random id, has to do.
func findImages(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	made, err := madeImages(ctx, client, call)
	var ids []string
	for _, i := range made {
		ids = append(ids, i.ID)
	}
	return ids, err
}

func madeImages(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]images.Image, error) {
	all, err := openstack.AllPages(ctx, images.List(client, images.ListOpts{Name: call.Name()}), images.ExtractImages)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the images made for volume %s", call.Node.ID)
	}
	return slices.DeleteFunc(all, func(i images.Image) bool {
		return i.Name != call.Name() || i.Owner != call.Cloud.ProjectID()
	}), nil
}

// ensureUpload gives the image of the temporary volume. If there is none it
// starts the upload, once no earlier one can be under way.
func (r *room) ensureUpload(ctx context.Context, c clients, call *protection.Call, volume string) (string, error) {
	ids, err := findImages(ctx, c.image, call)
	if err != nil {
		return "", err
	}
	if len(ids) > 0 {
		return ids[0], nil
	}
	if _, err := r.awaitVolume(ctx, c.volume, call, volume); err != nil {
		return "", err
	}
	// An upload that was under way a moment ago has its image by now.
	find := func(ctx context.Context) (string, error) { return first(findImages(ctx, c.image, call)) }
	return openstack.Make(ctx, call, temporaryImage, find, func(ctx context.Context) (string, error) {
		upload, err := volumes.UploadImage(ctx, c.volume, volume, volumes.UploadImageOpts{
			ImageName: call.Name(), DiskFormat: "raw", ContainerFormat: "bare",
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "uploading the temporary volume %s of volume %s to an image", volume, call.Node.ID)
		}
		return upload.ImageID, nil
	})
}

// awaitImage waits until an image that the hooks made has its bytes.
func (r *room) awaitImage(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*imageRecord, error) {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	what := fmt.Sprintf("image %s, made for volume %s", id, call.Node.ID)
	var found *images.Image
	err := openstack.Poll(ctx, what, r.options.PollInterval, func(ctx context.Context) (bool, error) {
		i, err := images.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		found = i
		switch i.Status {
		case images.ImageStatusActive:
			return true, nil
		case images.ImageStatusQueued, images.ImageStatusSaving, images.ImageStatusUploading, images.ImageStatusImporting:
			return false, openstack.Still("in state %q", i.Status)
		case images.ImageStatusDeleted, images.ImageStatusPendingDelete:
			return false, karbor.Errorf(karbor.NotFound, "%s was deleted", what)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, i.Status)
		}
	})
	if err != nil {
		return nil, err
	}
	return recordOf(found), nil
}

func recordOf(i *images.Image) *imageRecord {
	algo, _ := i.Properties["os_hash_algo"].(string)
	value, _ := i.Properties["os_hash_value"].(string)
	return &imageRecord{Size: i.SizeBytes, DiskFormat: i.DiskFormat, Checksum: i.Checksum, HashAlgo: algo, HashValue: value}
}

// transfer streams the image's bytes into the bank, and commits them only if
// they have the digest that Glance has. They are those of a volume of gib GiB.
func transfer(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string, digest imageRecord, gib int) (err error) {
	// The writer first: it may have to wait for its turn, which Glance would not.
	writer, err := call.Data.Create(ctx, dataName)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// The first error is the one to tell; what stays is taken over by
			// the next Create.
			_ = protection.GiveUp(ctx, writer)
		}
	}()
	want := openstack.ImageDigest{
		Size: digest.Size, Most: int64(gib) << 30, Checksum: digest.Checksum, HashAlgo: digest.HashAlgo, HashValue: digest.HashValue,
	}
	if err := openstack.CopyImage(ctx, client, id, want, writer, call.Progress); err != nil {
		return fmt.Errorf("copying the bytes of volume %s into the bank: %w", call.Node.ID, err)
	}
	_, err = writer.Commit(ctx)
	return err
}
