package volumeglance

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// finish gives the restored volume what creating it from an image does not:
// exactly the original's image metadata, its bootable and its read-only flag.
func finish(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, v *volumes.Volume) error {
	for key := range v.VolumeImageMetadata {
		if _, kept := doc.ImageMetadata[key]; kept {
			continue
		}
		err := act(ctx, client, v.ID, "os-unset_image_metadata", map[string]any{"key": key})
		if err != nil && !openstack.IsNotFound(err) {
			if refused(err) {
				call.NotKept(fmt.Sprintf("The volume has the image metadata %q that the original had not: the cloud does not let you remove it.", key))
				continue
			}
			return openstack.Explain(err, "removing image metadata %q of volume %s", key, v.ID)
		}
	}
	missing := map[string]string{}
	for key, value := range doc.ImageMetadata {
		if v.VolumeImageMetadata[key] != value {
			missing[key] = value
		}
	}
	if len(missing) > 0 {
		err := act(ctx, client, v.ID, "os-set_image_metadata", map[string]any{"metadata": missing})
		if refused(err) {
			call.NotKept("The volume's image metadata could not be set: the cloud does not let you.")
		} else if err != nil {
			return openstack.Explain(err, "setting the image metadata of volume %s", v.ID)
		}
	}
	if bootable := v.Bootable == "true"; bootable != doc.Bootable {
		if err := act(ctx, client, v.ID, "os-set_bootable", map[string]any{"bootable": doc.Bootable}); err != nil {
			return openstack.Explain(err, "setting whether volume %s is bootable", v.ID)
		}
	}
	if doc.ReadOnly || strings.EqualFold(v.Metadata["readonly"], "true") {
		if err := act(ctx, client, v.ID, "os-update_readonly_flag", map[string]any{"readonly": doc.ReadOnly}); err != nil {
			return openstack.Explain(err, "setting whether volume %s is read-only", v.ID)
		}
	}
	if doc.Multiattach && !v.Multiattach {
		call.NotKept("The volume can be attached to one server only: its volume type does not let it be attached to several.")
	}
	return nil
}

// whole takes the mark away that a restored volume bears until it is what it is to be.
func whole(ctx context.Context, client *gophercloud.ServiceClient, v *volumes.Volume) error {
	if _, marked := v.Metadata[protection.RestoringTag]; !marked {
		return nil
	}
	response, err := client.Delete(ctx, client.ServiceURL("volumes", v.ID, "metadata", protection.RestoringTag),
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent}})
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return openstack.Explain(err, "marking volume %s as whole", v.ID)
	}
	return response.Body.Close()
}

// refused reports whether the cloud's policy forbids a call.
func refused(err error) bool {
	return err != nil && karbor.KindOf(openstack.Explain(err, "asking the cloud")) == karbor.Forbidden
}

// act asks for an action on a volume.
func act(ctx context.Context, client *gophercloud.ServiceClient, id, action string, body map[string]any) error {
	response, err := client.Post(ctx, client.ServiceURL("volumes", id, "action"), map[string]any{action: body}, nil,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent}})
	if err != nil {
		return err
	}
	return response.Body.Close()
}
