package volumesnapshot

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the volume.
const documentKey = "metadata"

// document is what is kept of a volume beside its snapshot. It lies in the bank:
// members are only ever added.
type document struct {
	blockstorage.Volume
	// SnapshotID is the snapshot that a restore makes a volume of.
	SnapshotID string `json:"snapshot_id"`
	// SnapshotName and SnapshotDescription are the plan's parameters.
	SnapshotName        string `json:"snapshot_name"`
	SnapshotDescription string `json:"snapshot_description"`
}

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the volume as it was when it was snapshotted.
	Source   *blockstorage.Volume `json:"source,omitempty"`
	Snapshot string               `json:"snapshot,omitempty"`
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
	if record.Source == nil {
		if record.Source, err = blockstorage.Inspect(ctx, client, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if record.Snapshot == "" {
		options := snapshots.CreateOpts{
			Name: protection.First(call.Text("snapshot_name"), call.Name()), Description: call.Text("description"), Metadata: call.Tags(),
		}
		if record.Snapshot, err = blockstorage.EnsureSnapshot(ctx, client, call, options); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	_, err = r.waits.AwaitSnapshot(ctx, client, call, record.Snapshot)
	return err
}

// protect is the Main hook of protect: it tells what was snapshotted.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil || record.Snapshot == "" {
		return fmt.Errorf("protecting volume %s: no snapshot was recorded", call.Node.ID)
	}
	return call.Documents.CreateJSON(ctx, documentKey, document{
		Volume: *record.Source, SnapshotID: record.Snapshot,
		SnapshotName: call.Text("snapshot_name"), SnapshotDescription: call.Text("description"),
	})
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return r.drop(ctx, call, record.Snapshot)
}

// remove is the Main hook of delete. What has no document, as its protect came to
// nothing, or one that can't be read, may still have a snapshot: its tags tell.
func (r *room) remove(ctx context.Context, call *protection.Call) error {
	var doc document
	err := call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
		return err
	}
	return r.drop(ctx, call, doc.SnapshotID)
}

// drop removes the call's snapshot.
func (r *room) drop(ctx context.Context, call *protection.Call, recorded string) error {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return err
	}
	return r.waits.RemoveSnapshots(ctx, client, call, recorded)
}
