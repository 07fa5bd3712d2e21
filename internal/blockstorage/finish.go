package blockstorage

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Finishing says what a restored volume is to be like.
type Finishing struct {
	// Volume is the original.
	Volume
	// Name and Description take the place of the original's.
	Name, Description string
	// Tags are metadata beside the original's: the call's, for a volume that its hooks
	// made, and none for one that was there before.
	Tags map[string]string
}

// Finish gives a restored volume what making it did not give it: exactly the
// original's metadata with the tags, its image metadata, its bootable and its
// read-only flag, and at last the name and description.
func Finish(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, d Finishing, v *volumes.Volume) error {
	if err := metadata(ctx, client, d, v); err != nil {
		return err
	}
	if err := imageMetadata(ctx, client, call, d.Volume, v); err != nil {
		return err
	}
	if bootable := v.Bootable == "true"; bootable != d.Bootable {
		if err := act(ctx, client, v.ID, "os-set_bootable", map[string]any{"bootable": d.Bootable}); err != nil {
			return openstack.Explain(err, "setting whether volume %s is bootable", v.ID)
		}
	}
	if d.ReadOnly {
		if err := act(ctx, client, v.ID, "os-update_readonly_flag", map[string]any{"readonly": true}); err != nil {
			return openstack.Explain(err, "making volume %s read-only", v.ID)
		}
	}
	if d.Multiattach && !v.Multiattach {
		call.NotKept("The volume can be attached to one server only: its volume type does not let it be attached to several.")
	}
	if v.Name == d.Name && v.Description == d.Description {
		return nil
	}
	_, err := volumes.Update(ctx, client, v.ID, volumes.UpdateOpts{Name: &d.Name, Description: &d.Description}).Extract()
	return openstack.Explain(err, "naming volume %s", v.ID)
}

// metadata writes the original's metadata and the tags, if the volume has others.
func metadata(ctx context.Context, client *gophercloud.ServiceClient, d Finishing, v *volumes.Volume) error {
	want := maps.Clone(d.Metadata)
	if want == nil {
		want = map[string]string{}
	}
	maps.Copy(want, d.Tags)
	if made := v.Metadata[sourceBackup]; made != "" {
		want[sourceBackup] = made
	}
	have := maps.Clone(v.Metadata)
	for _, own := range []string{"readonly", "attached_mode"} {
		delete(have, own)
	}
	if maps.Equal(want, have) {
		return nil
	}
	response, err := client.Put(ctx, client.ServiceURL("volumes", v.ID, "metadata"), map[string]any{"metadata": want}, nil,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil {
		return openstack.Explain(err, "writing the metadata of volume %s", v.ID)
	}
	return response.Body.Close()
}

func imageMetadata(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, d Volume, v *volumes.Volume) error {
	for key := range v.VolumeImageMetadata {
		if _, kept := d.ImageMetadata[key]; kept {
			continue
		}
		err := act(ctx, client, v.ID, "os-unset_image_metadata", map[string]any{"key": key})
		if refused(err) {
			call.NotKept(fmt.Sprintf("The volume has the image metadata %q that the original had not: the cloud does not let you remove it.", key))
		} else if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "removing image metadata %q of volume %s", key, v.ID)
		}
	}
	missing := map[string]string{}
	for key, value := range d.ImageMetadata {
		if v.VolumeImageMetadata[key] != value {
			missing[key] = value
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := act(ctx, client, v.ID, "os-set_image_metadata", map[string]any{"metadata": missing})
	if refused(err) {
		call.NotKept("The volume's image metadata could not be set: the cloud does not let you.")
		return nil
	}
	return openstack.Explain(err, "setting the image metadata of volume %s", v.ID)
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
