package volumeglance

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// mark gives an image that was uploaded from a volume the tags that the upload could not.
// A cloud may keep tenants from setting properties, and the image may be gone: it is of
// use only to who looks for what is left, so that no refusal is an error.
//
// It waits until the upload has begun: Glance writes the whole image with each change, and an upload that
// finds its image changed back to queued fails.
func (r *room) mark(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	if call.Installation == "" {
		return nil
	}
	if err := r.begun(ctx, client, id); err != nil {
		return err
	}
	var options images.UpdateOpts
	for name, value := range call.TemporaryTags() {
		options = append(options, images.UpdateImageProperty{Op: images.AddOp, Name: name, Value: value})
	}
	err := images.Update(ctx, client, id, options).Err
	if err != nil && (ctx.Err() != nil || karbor.IsTransient(openstack.Explain(err, "marking image %s", id))) {
		return openstack.Explain(err, "marking image %s, made for volume %s", id, call.Node.ID)
	}
	return nil
}

// begun waits until the upload to an image has begun, or has ended in any way.
func (r *room) begun(ctx context.Context, client *gophercloud.ServiceClient, id string) error {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	what := "the upload to image " + id
	return openstack.Poll(ctx, what, r.options.PollInterval, func(ctx context.Context) (bool, error) {
		i, err := images.Get(ctx, client, id).Extract()
		if openstack.IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, openstack.Explain(err, "looking for the beginning of %s", what)
		}
		if i.Status == images.ImageStatusQueued {
			return false, openstack.Still("in state %q", i.Status)
		}
		return true, nil
	})
}
