package janitor

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
)

// removeImage deletes an image. Of one that holds ciphertext the key may be to go with it: a Glance that may not
// delete the secret would refuse to delete the image for that, so it is not asked to. Secrets are their project's,
// and an administrator may be refused too: then the image goes, and the error names the secret.
func (a administration) removeImage(ctx context.Context, client *gophercloud.ServiceClient, id string) error {
	i, err := images.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return openstack.Explain(err, "reading image %s", id)
	}
	secret := keymanager.Along(*i)
	if secret != "" {
		if err := keymanager.Loosen(ctx, client, id); err != nil {
			return err
		}
	}
	err = images.Delete(ctx, client, id).ExtractErr()
	if err != nil && !openstack.IsNotFound(err) {
		return openstack.Explain(err, "deleting image %s", id)
	}
	if secret == "" {
		return nil
	}
	// Not before: an image that can't be deleted keeps its key.
	if err := keymanager.Drop(ctx, a.session, secret); err != nil {
		return &karbor.Error{Kind: karbor.KindOf(err), Cause: err,
			Message: "image " + id + " is deleted, and the secret " + secret + " of its key is left, for its project to delete: " + karbor.Sentence(err)}
	}
	return nil
}
