package volumeglance

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the volume as it was when it was snapshotted.
	Source   *document `json:"source,omitempty"`
	Snapshot string    `json:"snapshot,omitempty"`
	// Late says that the snapshot was given back, and is taken anew when there is room.
	Late   bool         `json:"late,omitempty"`
	Volume string       `json:"volume,omitempty"`
	Image  string       `json:"image,omitempty"`
	Digest *imageRecord `json:"digest,omitempty"`
}

// snapshot is the PrepareFinish hook of protect: all the volumes of a server are
// snapshotted between the server's own PrepareBegin and PrepareFinish.
func (r *room) snapshot(ctx context.Context, call *protection.Call) error {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Volume != "" {
		// Main is past the need of the snapshot, and may have deleted it.
		return nil
	}
	if record.Source == nil {
		if record.Source, err = inspect(ctx, client, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if record.Snapshot == "" {
		record.Snapshot, err = r.waits().SnapshotWithinQuota(ctx, client, call, func(ctx context.Context) (string, error) {
			return ensureSnapshot(ctx, client, call, call.TemporaryTags())
		})
		if err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldSnapshot, record.Snapshot, record.Source)); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	return r.snapshotReady(ctx, client, call, &record)
}

// snapshotReady waits until the snapshot is there, and notes its size: the volume may have been extended while
// its snapshot waited for room.
func (r *room) snapshotReady(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record *protectRecord) error {
	made, err := r.waits().AwaitSnapshot(ctx, client, call, record.Snapshot)
	if err != nil || made.Size <= record.Source.Size {
		return err
	}
	record.Source.Size = made.Size
	return call.Scratch.Save(ctx, record)
}

// held is what is temporary and as large as the volume.
func held(kind protection.HoldingKind, id string, source *document) protection.Holding {
	return protection.Holding{Kind: kind, ID: id, GiB: int64(source.Size)}
}

// inspect describes the volume, if it can be protected.
func inspect(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*document, error) {
	v, err := volumes.Get(ctx, client, call.Node.ID).Extract()
	if err != nil {
		return nil, openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	if v.Encrypted {
		if err := mayKeepKey(ctx, client, call); err != nil {
			return nil, err
		}
	}
	switch v.Status {
	case "available", "in-use":
		return describe(v, call), nil
	case "error", "deleting", "error_deleting", "error_extending", "error_restoring", "error_managing":
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is in state %q and can't be protected", v.ID, v.Status)
	default:
		return nil, karbor.Transientf("volume %s is in state %q and can't be snapshotted now", v.ID, v.Status)
	}
}

// ensureSnapshot gives the call's snapshot, and makes it with the tags if there is none.
func ensureSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, tags map[string]string) (string, error) {
	find := func(ctx context.Context) (string, error) { return first(findSnapshots(ctx, client, call)) }
	return openstack.Make(ctx, call, "snapshot", find, func(ctx context.Context) (string, error) {
		s, err := snapshots.Create(ctx, client, snapshots.CreateOpts{
			VolumeID: call.Node.ID, Name: call.Name(), Metadata: tags,
			// Attached volumes need force; for others it changes nothing.
			Force: true,
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating a snapshot of volume %s", call.Node.ID)
		}
		return s.ID, nil
	})
}

// first gives the first of the ids that were found, or "".
func first(ids []string, err error) (string, error) {
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

// findSnapshots gives the ids of the snapshots that the call's hooks made.
func findSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := openstack.AllPages(ctx, snapshots.List(client, snapshots.ListOpts{Name: call.Name()}), snapshots.ExtractSnapshots)
	if err != nil {
		return nil, openstack.Explain(err, "listing the snapshots of volume %s", call.Node.ID)
	}
	var ids []string
	for _, s := range all {
		if s.Name == call.Name() && call.Tagged(s.Metadata) {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}
