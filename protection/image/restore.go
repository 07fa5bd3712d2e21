package image

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// newImage is what tenants read of the image when the cloud gives no answer.
const newImage = "image"

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Image string `json:"image,omitempty"`
	// Keyed says that a secret with the key of encrypted bytes may have been made, and Secret
	// is its id once that is known.
	Keyed  bool   `json:"keyed,omitempty"`
	Secret string `json:"secret,omitempty"`
}

// restore is the Main hook of restore. The image that a server boots from stays
// like any other: Nova needs it again to rebuild or evacuate the server.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return err
	}
	i, err := r.complete(ctx, client, call, doc)
	if err != nil {
		return err
	}
	if i == nil {
		// What an interrupted run left half uploaded can't be gone on with.
		if err := remove(ctx, client, call, call.RestoredName(doc.Name)); err != nil {
			return err
		}
		if i, err = r.reuse(ctx, client, call, doc); err != nil {
			return err
		}
		if i != nil {
			return call.NewResources.Set(ctx, i.ID)
		}
		if i, err = r.upload(ctx, client, call, doc); err != nil {
			return err
		}
	}
	if doc.Visibility != string(images.ImageVisibilityPrivate) && doc.Visibility != "" && doc.Visibility != string(i.Visibility) {
		call.NotKept(fmt.Sprintf("The image is private: the original was %s.", doc.Visibility))
	}
	if _, marked := i.Properties[protection.RestoringTag]; marked {
		err := images.Update(ctx, client, i.ID, images.UpdateOpts{images.UpdateImageProperty{Op: images.RemoveOp, Name: protection.RestoringTag}}).Err
		if err != nil {
			return openstack.Explain(err, "taking the mark of what is not whole from image %s", i.ID)
		}
	}
	if doc.Protected && !i.Protected {
		err := images.Update(ctx, client, i.ID, images.UpdateOpts{images.ReplaceImageProtected{NewProtected: true}}).Err
		if err != nil {
			return openstack.Explain(err, "protecting image %s against deletion", i.ID)
		}
	}
	return call.NewResources.Set(ctx, i.ID)
}

// complete gives the image that an earlier run has made and filled, or nil: the one
// that the record names, or one that is found.
func (r *room) complete(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (*images.Image, error) {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return nil, err
	}
	if record.Image != "" {
		i, err := images.Get(ctx, client, record.Image).Extract()
		if err != nil && !openstack.IsNotFound(err) {
			return nil, openstack.Explain(err, "reading image %s, made for image %s", record.Image, call.Node.ID)
		}
		if err == nil && i.Status == images.ImageStatusActive && doc.matches(i) {
			return i, nil
		}
	}
	made, err := findImages(ctx, client, call, call.RestoredName(doc.Name))
	if err != nil {
		return nil, err
	}
	for _, i := range made {
		if i.Status == images.ImageStatusActive && doc.matches(&i) {
			return &i, nil
		}
	}
	return nil, nil
}

// matches reports whether Glance has the digest of the protected bytes for i.
func (d document) matches(i *images.Image) bool {
	got := describe(i)
	switch {
	case got.Size != d.Size:
		return false
	case d.HashValue != "" && got.HashAlgo == d.HashAlgo:
		return strings.EqualFold(got.HashValue, d.HashValue)
	default:
		return d.Checksum == "" || strings.EqualFold(got.Checksum, d.Checksum)
	}
}

// upload makes the image from the bank's bytes, and compares Glance's digest
// with the one that Glance gave when they were protected.
func (r *room) upload(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (*images.Image, error) {
	reader, err := call.Data.Open(ctx, dataName)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	key, err := keyToBring(ctx, call, doc)
	if err != nil {
		return nil, err
	}
	id, err := ensureImage(ctx, client, call, doc)
	if err != nil {
		return nil, err
	}
	record := restoreRecord{Image: id}
	if err := call.Scratch.Save(ctx, record); err != nil {
		return nil, err
	}
	if key != nil {
		if err := bringKey(ctx, client, call, doc, key, &record); err != nil {
			return nil, err
		}
	}
	meter := &protection.Meter{Reader: reader, Total: reader.Summary().Size, Report: call.Progress}
	if err := openstack.UploadImage(ctx, client, id, meter); err != nil {
		return nil, fmt.Errorf("uploading the bytes of image %s: %w", call.Node.ID, err)
	}
	i, err := r.await(ctx, client, fmt.Sprintf("image %s, made for image %s", id, call.Node.ID), id)
	if err != nil {
		return nil, err
	}
	if !doc.matches(i) {
		return nil, karbor.Transientf("the image %s that was uploaded for image %s does not have the size and digest of the protected bytes", i.ID, call.Node.ID)
	}
	return i, nil
}

// ensureImage gives an image without bytes: a new one, or one that the cloud has made
// belatedly for an earlier run.
func ensureImage(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	opts := images.CreateOpts{
		Name: call.RestoredName(doc.Name), DiskFormat: doc.DiskFormat, ContainerFormat: doc.ContainerFormat,
		MinDisk: doc.MinDisk, MinRAM: doc.MinRAM, Tags: doc.Tags, Properties: call.RestoringTags(),
	}
	private := images.ImageVisibilityPrivate
	opts.Visibility = &private
	if doc.Hidden {
		opts.Hidden = &doc.Hidden
	}
	maps.Copy(opts.Properties, doc.Properties)
	find := func(ctx context.Context) (string, error) { return findImage(ctx, client, call, opts.Name) }
	h := protection.Holding{Kind: protection.HeldImage, GiB: (doc.Size + 1<<30 - 1) >> 30}
	return openstack.MakeRestored(ctx, call, h, newImage, find, func(ctx context.Context) (string, error) {
		i, err := images.Create(ctx, client, opts).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the image that takes the place of image %s", call.Node.ID)
		}
		return i.ID, nil
	})
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); karbor.KindOf(err) == karbor.NotFound && err != nil {
		return remove(ctx, client, call, "") // by the record and the tags
	} else if err != nil {
		return err
	}
	return remove(ctx, client, call, call.RestoredName(doc.Name))
}

// remove deletes the restored images that the record names, or that have the
// name and the tags of this restore's.
func remove(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, name string) error {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	made, err := findImages(ctx, client, call, name)
	if err != nil {
		return err
	}
	if record.Image != "" && !slices.ContainsFunc(made, func(i images.Image) bool { return i.ID == record.Image }) {
		i, err := images.Get(ctx, client, record.Image).Extract()
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "reading image %s, made for image %s", record.Image, call.Node.ID)
		}
		if err == nil {
			made = append(made, *i)
		}
	}
	for _, i := range made {
		if err := removeImage(ctx, client, call, i); err != nil {
			return err
		}
	}
	return removeKey(ctx, call, record)
}

// removeImage deletes an image that a restore has made.
func removeImage(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, i images.Image) error {
	if i.Protected {
		err := images.Update(ctx, client, i.ID, images.UpdateOpts{images.ReplaceImageProtected{NewProtected: false}}).Err
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "releasing image %s, made for image %s, for deletion", i.ID, call.Node.ID)
		}
	}
	if err := part(ctx, client, call, i); err != nil {
		return err
	}
	if err := images.Delete(ctx, client, i.ID).ExtractErr(); err != nil && !openstack.IsNotFound(err) {
		return openstack.Explain(err, "deleting image %s, made for image %s", i.ID, call.Node.ID)
	}
	return nil
}
