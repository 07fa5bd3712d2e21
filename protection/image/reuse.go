package image

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// The restore parameter upload says whether the bytes are uploaded where an identical image is
// there: uploadAlways, or, by default, not.
const (
	uploadParameter = "upload"
	uploadAlways    = "always"
)

// identical finds an image of the project's that is what the restore would make: by its bytes, as
// Glance has digested them, and by all that a tenant sets. It is used in place of a new one. The
// original itself comes first. Nil for none.
func (r *room) identical(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (*images.Image, error) {
	// A drill shows that the bank's bytes can be brought back.
	if call.Drill || call.Text(uploadParameter) == uploadAlways || doc.HashValue == "" {
		return nil, nil
	}
	i, err := images.Get(ctx, client, call.Node.ID).Extract()
	if err != nil && !openstack.IsNotFound(err) {
		return nil, openstack.Explain(err, "reading image %s", call.Node.ID)
	}
	if err == nil && !made(i) && doc.describes(i, call) {
		if same, err := sameKey(ctx, call, doc, i); err != nil || same {
			return i, err
		}
	}
	all, err := openstack.AllPages(ctx, images.List(client, images.ListOpts{Name: call.RestoredName(doc.Name), Owner: call.Cloud.ProjectID(), Hidden: doc.Hidden}), images.ExtractImages)
	if err != nil {
		return nil, openstack.Explain(err, "looking for an image that is identical to image %s", call.Node.ID)
	}
	for _, i := range all {
		if made(&i) || !doc.describes(&i, call) {
			continue
		}
		if same, err := sameKey(ctx, call, doc, &i); err != nil || same {
			return &i, err
		}
	}
	return nil, nil
}

// made reports whether a restore has made an image, which goes if that fails: the original, too, if
// what was protected came of one that still runs.
func made(i *images.Image) bool {
	mark, _ := i.Properties[protection.CheckpointTag].(string)
	return mark != ""
}

// describes reports whether an image is what the restore would make, and stays as long as the
// project wants it.
func (d document) describes(i *images.Image, call *protection.Call) bool {
	for _, passing := range []string{protection.TemporaryTag, protection.DrillTag} {
		if i.Properties[passing] != nil {
			return false
		}
	}
	got := describe(i)
	return i.Status == images.ImageStatusActive && i.Owner == call.Cloud.ProjectID() &&
		got.Name == call.RestoredName(d.Name) && got.Size == d.Size && got.HashAlgo == d.HashAlgo && strings.EqualFold(got.HashValue, d.HashValue) &&
		got.DiskFormat == d.DiskFormat && got.ContainerFormat == d.ContainerFormat && got.MinDisk == d.MinDisk && got.MinRAM == d.MinRAM &&
		got.Visibility == protection.First(d.Visibility, string(images.ImageVisibilityPrivate)) && got.Protected == d.Protected && got.Hidden == d.Hidden &&
		got.Encrypted == d.Encrypted && got.KeyPolicy == d.KeyPolicy &&
		maps.Equal(got.Properties, d.Properties) && slices.Equal(got.Tags, d.Tags)
}

// reuse gives an identical image, unless this restore has begun to upload one, and tells the
// tenant.
func (r *room) reuse(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (*images.Image, error) {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Image != "" || record.Keyed {
		return nil, err
	}
	if call.Intents != nil {
		if left, err := call.Intents.Unsettled(ctx, newImage); err != nil || left > 0 {
			return nil, err
		}
	}
	i, err := r.identical(ctx, client, call, doc)
	if err == nil && i != nil {
		call.Mapped(fmt.Sprintf("The image %s is used, which is there with the same bytes and properties: nothing was uploaded.", i.ID))
	}
	return i, err
}
