// Package blockstorage is what the protection plug-ins for Cinder volumes share: what
// is kept of a volume beside its bytes, and how snapshots and volumes that a plug-in's
// hooks make are found again, waited for and removed. Source: the Block Storage API v3.
package blockstorage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Waits is how long a plug-in waits for volumes and snapshots.
type Waits struct{ openstack.Waits }

// Volume is what is kept of a volume beside its bytes. It is a part of documents in a
// bank: members are only ever added.
type Volume struct {
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	Size             int               `json:"size"` // GiB
	VolumeType       string            `json:"volume_type"`
	AvailabilityZone string            `json:"availability_zone"`
	Bootable         bool              `json:"bootable"`
	ReadOnly         bool              `json:"read_only"`
	Encrypted        bool              `json:"encrypted"`
	Multiattach      bool              `json:"multiattach"`
	Metadata         map[string]string `json:"metadata"`
	ImageMetadata    map[string]string `json:"volume_image_metadata"`
}

// sourceBackup is the metadata that Cinder writes into a volume that it restores a
// backup to.
const sourceBackup = "src_backup_id"

// describe gives what is kept of a volume.
func describe(v *volumes.Volume) *Volume {
	d := &Volume{
		Name: v.Name, Description: v.Description, Size: v.Size, VolumeType: v.VolumeType,
		AvailabilityZone: v.AvailabilityZone, Bootable: v.Bootable == "true", Encrypted: v.Encrypted, Multiattach: v.Multiattach,
		Metadata: protection.Untagged(v.Metadata), ImageMetadata: protection.Untagged(v.VolumeImageMetadata),
	}
	// Cinder shows facts of its own among the tenant's metadata.
	d.ReadOnly = strings.EqualFold(d.Metadata["readonly"], "true")
	for _, own := range []string{"readonly", "attached_mode", sourceBackup} {
		delete(d.Metadata, own)
	}
	return d
}

// Inspect describes the call's volume, if it can be snapshotted. The parameter force,
// if it is false, refuses one that is attached.
func Inspect(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*Volume, error) {
	v, err := volumes.Get(ctx, client, call.Node.ID).Extract()
	if err != nil {
		return nil, openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	force, given := call.Parameters["force"].(bool)
	switch v.Status {
	case "in-use":
		if given && !force {
			return nil, karbor.Errorf(karbor.Conflict, "volume %s is attached to a server, and the parameter force says that it is not to be protected then", v.ID)
		}
		return describe(v), nil
	case "available":
		return describe(v), nil
	case "error", "deleting", "error_deleting", "error_extending", "error_restoring", "error_managing":
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is in state %q and can't be protected", v.ID, v.Status)
	default:
		return nil, karbor.Transientf("volume %s is in state %q and can't be snapshotted now", v.ID, v.Status)
	}
}

// FindVolumes gives the ids of the volumes that the call's hooks made: by the tags, and
// by the name too, as Cinder replaces a volume's metadata when it restores a backup.
func FindVolumes(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	var ids []string
	for _, options := range []volumes.ListOpts{{Metadata: call.Tags()}, {Name: call.Name()}} {
		all, err := openstack.AllPages(ctx, volumes.List(client, options), volumes.ExtractVolumes)
		if err != nil {
			return nil, openstack.Explain(err, "looking for the volumes made for volume %s", call.Node.ID)
		}
		for i := range all {
			v := &all[i]
			ours := call.Tagged(v.Metadata) || v.Name == call.Name()
			if ours && v.TenantID == call.Cloud.ProjectID() && !slices.Contains(ids, v.ID) {
				ids = append(ids, v.ID)
			}
		}
	}
	return ids, nil
}

// AwaitVolume waits until a volume that the hooks made is available.
func (w Waits) AwaitVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*volumes.Volume, error) {
	ctx, cancel := w.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("volume %s, made for volume %s", id, call.Node.ID)
	var volume *volumes.Volume
	err := openstack.Poll(ctx, what, w.Longest, func(ctx context.Context) (bool, error) {
		v, err := volumes.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		volume = v
		switch v.Status {
		case "available":
			return true, nil
		case "creating", "downloading", "uploading", "reserved", "retyping", "restoring-backup":
			return false, openstack.Still("in state %q", v.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, v.Status)
		}
	})
	return volume, err
}

// First gives the first of the ids that were found, or "".
func First(ids []string, err error) (string, error) {
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}
