// Package image finds a tenant's images, and the image that a server was booted
// from.
package image

import (
	"cmp"
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds images (OS::Glance::Image).
var Plugin = plugin.Define("karbor-image-protectable-plugin",
	"Finds the images of the caller's project, and the one that a server was booted from.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

var _ protectable.Sizer = finder{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.ImageType }

// Parents implements protectable.Plugin.
func (finder) Parents() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ServerType, karbor.ProjectType}
}

// List implements protectable.Plugin: the images that the project owns, in the order
// of their ids. Those that others share with it are not the tenant's to protect, nor
// those that Karbor has made for a while.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.Image(ctx, cloud)
	if err != nil {
		return nil, err
	}
	out := []karbor.Resource{}
	// Glance lists hidden images only to who asks for them, and then no others. It takes
	// the marker of either list in both.
	for _, hidden := range []bool{false, true} {
		some, err := list(ctx, client, cloud, q, hidden)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	slices.SortFunc(out, func(a, b karbor.Resource) int { return cmp.Compare(a.ID, b.ID) })
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

// list gives the images that are hidden, or those that are not.
func list(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, q protectable.Query, hidden bool) ([]karbor.Resource, error) {
	page := func(ctx context.Context, marker string, limit int) ([]images.Image, bool, error) {
		options := images.ListOpts{Owner: cloud.ProjectID(), Limit: limit, Marker: marker, Sort: "id:asc", Hidden: hidden}
		found, more, err := openstack.FirstPage(ctx, images.List(client, options))
		if err != nil || found == nil {
			return nil, false, explainList(err, marker)
		}
		list, err := images.ExtractImages(found)
		return list, more, openstack.Explain(err, "listing images")
	}
	return openstack.Collect(ctx, q.Marker, q.Limit, page,
		func(i images.Image) string { return i.ID },
		func(i images.Image) (karbor.Resource, bool) {
			return resource(i), i.Owner == cloud.ProjectID() && i.Hidden == hidden && !gone(i.Status) && !unfit(i.Status) && !passing(i)
		})
}

// explainList explains an error of a list. With a marker, 404 can only mean that.
func explainList(err error, marker string) error {
	if openstack.IsNotFound(err) && marker != "" {
		return karbor.Errorf(karbor.Invalid, "the marker %q is no image in this list", marker)
	}
	return openstack.Explain(err, "listing images")
}

// Show implements protectable.Plugin. An image without data is karbor.Conflict.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	if !karbor.IsResourceID(id) {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no such image")
	}
	client, err := openstack.Image(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	i, err := images.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) || err == nil && (i.Owner != cloud.ProjectID() || gone(i.Status)) {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no image %s", id)
	}
	if err != nil {
		return karbor.Resource{}, openstack.Explain(err, "looking for image %s", id)
	}
	if unfit(i.Status) {
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "image %s has status %s and can't be protected", id, i.Status)
	}
	return resource(*i), nil
}

// Size implements protectable.Sizer. An image that is no longer to be seen, such as the
// one that a server was booted from, is karbor.NotFound.
func (finder) Size(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (int64, error) {
	if !karbor.IsResourceID(r.ID) {
		return 0, karbor.Errorf(karbor.NotFound, "there is no such image")
	}
	client, err := openstack.Image(ctx, cloud)
	if err != nil {
		return 0, err
	}
	i, err := images.Get(ctx, client, r.ID).Extract()
	if err == nil {
		return i.SizeBytes, nil
	}
	explained := openstack.Explain(err, "looking for image %s", r.ID)
	if openstack.IsNotFound(err) || karbor.KindOf(explained) == karbor.Forbidden {
		return 0, karbor.Errorf(karbor.NotFound, "there is no image %s", r.ID)
	}
	return 0, explained
}

// Dependents implements protectable.Plugin: a server has the image that it was
// booted from, in a role of its own, whoever owns it; a project has its own images.
func (f finder) Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	switch parent.Type {
	case karbor.ServerType:
		return booted(ctx, cloud, parent.ID)
	case karbor.ProjectType:
		if parent.ID != cloud.ProjectID() {
			return nil, karbor.Errorf(karbor.NotFound, "there is no project %s", parent.ID)
		}
		list, err := f.List(ctx, cloud, protectable.Query{})
		out := make([]protectable.Dependent, 0, len(list))
		for _, r := range list {
			out = append(out, protectable.Dependent{Resource: r})
		}
		return out, err
	}
	return nil, nil
}

// booted gives the image of a server; none if it was booted from a volume. The image
// may be gone from Glance, or no longer be visible: the server's disk is what counts,
// so it is then given without a name.
func booted(ctx context.Context, cloud karbor.Cloud, serverID string) ([]protectable.Dependent, error) {
	s, err := openstack.Server(ctx, cloud, serverID)
	if err != nil {
		return nil, err
	}
	id, _ := s.Image["id"].(string)
	if id == "" {
		return nil, nil
	}
	client, err := openstack.Image(ctx, cloud)
	if err != nil {
		return nil, err
	}
	found := karbor.Resource{Type: karbor.ImageType, ID: id}
	i, err := images.Get(ctx, client, id).Extract()
	switch {
	case err == nil:
		found.Name = i.Name
	case openstack.IsNotFound(err):
	default:
		err = openstack.Explain(err, "looking for the image of server %s", serverID)
		if karbor.KindOf(err) != karbor.Forbidden {
			return nil, err
		}
	}
	return []protectable.Dependent{{Resource: found, Private: true}}, nil
}

// passing reports whether an image goes by itself. One that a volume is uploaded to has its
// name before its properties.
func passing(i images.Image) bool {
	texts := map[string]string{}
	for k, v := range i.Properties {
		texts[k], _ = v.(string)
	}
	return protection.PassingName(i.Name) || protection.Passing(i.Name, texts)
}

// gone reports a status in which the image is no more for its owner.
func gone(s images.ImageStatus) bool {
	return s == images.ImageStatusDeleted || s == images.ImageStatusPendingDelete
}

// unfit reports a status in which the image has no data.
func unfit(s images.ImageStatus) bool {
	return s == images.ImageStatusKilled || s == images.ImageStatusQueued
}

func resource(i images.Image) karbor.Resource {
	return karbor.Resource{Type: karbor.ImageType, ID: i.ID, Name: i.Name}
}
