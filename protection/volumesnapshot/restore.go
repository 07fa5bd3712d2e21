package volumesnapshot

import (
	"context"
	"fmt"
	"maps"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Volume string `json:"volume,omitempty"`
}

// restore is the Main hook of restore: a new volume of the snapshot.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
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
	name, description := call.RestoredName(doc.Name), protection.First(call.Text("restore_description"), doc.Description)
	if record.Volume == "" {
		if record.Volume, err = ensureVolume(ctx, client, call, doc, name, description); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	volume, err := r.waits.AwaitVolume(ctx, client, call, record.Volume)
	if err != nil {
		return err
	}
	if volume.VolumeType != doc.VolumeType {
		call.NotKept(fmt.Sprintf("The volume type %q: the cloud made the volume of the snapshot with the type %q.", doc.VolumeType, volume.VolumeType))
	}
	if volume.AvailabilityZone != doc.AvailabilityZone {
		call.NotKept(fmt.Sprintf("The availability zone %q: the cloud made the volume of the snapshot in %q.", doc.AvailabilityZone, volume.AvailabilityZone))
	}
	finishing := blockstorage.Finishing{Volume: doc.Volume, Name: name, Description: description, Tags: call.Tags()}
	if err := blockstorage.Finish(ctx, client, call, finishing, volume); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Volume)
}

// ensureVolume gives the volume that takes the original's place, and asks for it if
// there is none. Cinder gives it the type and the availability zone of the snapshot's
// volume: others are refused by most back ends.
func ensureVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, name, description string) (string, error) {
	options := volumes.CreateOpts{
		Name: name, Description: description, SnapshotID: doc.SnapshotID, Size: doc.Size, Metadata: maps.Clone(doc.Metadata),
	}
	if options.Metadata == nil {
		options.Metadata = map[string]string{}
	}
	maps.Copy(options.Metadata, call.RestoringTags())
	find := func(ctx context.Context) (string, error) {
		return blockstorage.First(blockstorage.FindVolumes(ctx, client, call))
	}
	h := protection.Holding{Kind: protection.HeldVolume, GiB: int64(doc.Size)}
	return openstack.MakeRestored(ctx, call, h, "volume", find, func(ctx context.Context) (string, error) {
		if err := sound(ctx, call, &doc); err != nil {
			return "", err
		}
		v, err := volumes.Create(ctx, client, options, nil).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the volume that takes the place of volume %s", call.Node.ID)
		}
		return v.ID, nil
	})
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return r.waits.RemoveVolumes(ctx, client, call, record.Volume)
}

// sound looks whether the snapshot that a document names can be restored: it is there,
// available, of this volume, and of the right size.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	if d.SnapshotID == "" || d.Size <= 0 {
		return karbor.Errorf(karbor.Internal, "its document names no snapshot, or no size of the volume")
	}
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return err
	}
	s, err := snapshots.Get(ctx, client, d.SnapshotID).Extract()
	switch {
	case openstack.IsNotFound(err):
		return karbor.Errorf(karbor.Conflict, "its snapshot %s is not in this project of this cloud: it was deleted, or the checkpoint was made elsewhere", d.SnapshotID)
	case err != nil:
		return openstack.Explain(err, "reading snapshot %s of volume %s", d.SnapshotID, call.Node.ID)
	case s.VolumeID != call.Node.ID:
		return karbor.Errorf(karbor.Internal, "its snapshot %s is of another volume", d.SnapshotID)
	case s.Size != d.Size:
		return karbor.Errorf(karbor.Internal, "its snapshot %s has %d GiB, and its document says %d", d.SnapshotID, s.Size, d.Size)
	case s.Status == "creating" || s.Status == "backing-up":
		return karbor.Transientf("its snapshot %s is in state %q", d.SnapshotID, s.Status)
	case s.Status != "available":
		return karbor.Errorf(karbor.Conflict, "its snapshot %s is in state %q", d.SnapshotID, s.Status)
	}
	return nil
}
