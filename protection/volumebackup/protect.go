package volumebackup

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the volume.
const documentKey = "metadata"

// document is what is kept of a volume beside its backup. It lies in the bank:
// members are only ever added.
type document struct {
	blockstorage.Volume
	// BackupID is the backup that a restore takes.
	BackupID string `json:"backup_id"`
	// BackupMode is how it was made: "full" or "incremental".
	BackupMode string `json:"backup_mode"`
	// Container is where the cloud has put it.
	Container string `json:"container"`
	// BackupName and BackupDescription are the plan's parameters.
	BackupName        string `json:"backup_name"`
	BackupDescription string `json:"backup_description"`
}

// The modes of backups.
const (
	full        = "full"
	incremental = "incremental"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the volume as it was when it was snapshotted.
	Source   *blockstorage.Volume `json:"source,omitempty"`
	Snapshot string               `json:"snapshot,omitempty"`
	// Decided says that it was decided whether the backup is incremental.
	Decided     bool   `json:"decided,omitempty"`
	Incremental bool   `json:"incremental,omitempty"`
	Backup      string `json:"backup,omitempty"`
}

// snapshot is the PrepareFinish hook of protect: all the volumes of a server are
// snapshotted between the server's own PrepareBegin and PrepareFinish.
func (r *room) snapshot(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Backup != "" {
		// Main may be past the need of the snapshot, and have deleted it.
		return nil
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
		options := snapshots.CreateOpts{Name: call.Name(), Metadata: call.TemporaryTags()}
		record.Snapshot, err = r.waits.SnapshotWithinQuota(ctx, client, call, func(ctx context.Context) (string, error) {
			return blockstorage.EnsureSnapshot(ctx, client, call, options)
		})
		if err != nil {
			return err
		}
		held := protection.Holding{Kind: protection.HeldSnapshot, ID: record.Snapshot, GiB: int64(record.Source.Size)}
		if err := call.Hold(ctx, held); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	made, err := r.waits.AwaitSnapshot(ctx, client, call, record.Snapshot)
	if err != nil || made.Size <= record.Source.Size {
		return err
	}
	record.Source.Size = made.Size // the volume was extended while its snapshot waited for room
	return call.Scratch.Save(ctx, record)
}

// protect is the Main hook of protect: a backup of the snapshot, which then goes.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil || record.Snapshot == "" {
		return fmt.Errorf("protecting volume %s: no snapshot was recorded", call.Node.ID)
	}
	total := int64(record.Source.Size) << 30
	call.Progress(0, total)
	if record.Backup == "" {
		if err := decide(ctx, client, call, &record); err != nil {
			return err
		}
		if record.Backup, err = ensure(ctx, client, call, &record); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	b, err := r.waits.AwaitBackup(ctx, client, call, record.Backup)
	if err != nil {
		return err
	}
	call.Progress(total, total)
	if err := r.waits.RemoveSnapshots(ctx, client, call, record.Snapshot); err != nil {
		return err
	}
	mode := full
	if record.Incremental {
		mode = incremental
	}
	return call.Documents.CreateJSON(ctx, documentKey, document{
		Volume: *record.Source, BackupID: record.Backup, BackupMode: mode, Container: b.Container,
		BackupName: call.Text("backup_name"), BackupDescription: call.Text("description"),
	})
}

// decide says, once, whether the backup is incremental. One that was asked for and
// can't be is full, and the tenant is told.
func decide(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record *protectRecord) error {
	if record.Decided {
		return nil
	}
	if call.Text("backup_mode") == incremental {
		why, err := whyFull(ctx, client, call, record.Snapshot, record.Source.Size)
		if err != nil {
			return err
		}
		if why != "" {
			return record.makeFull(ctx, call, why)
		}
		record.Incremental = true
	}
	record.Decided = true
	return call.Scratch.Save(ctx, record)
}

// makeFull has a backup be full that was to be incremental, and says why.
func (p *protectRecord) makeFull(ctx context.Context, call *protection.Call, why string) error {
	call.NotKept("The backup is a full one in place of an incremental one: " + why + ".")
	p.Decided, p.Incremental = true, false
	return call.Scratch.Save(ctx, p)
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if err := r.removeAll(ctx, client, call, record.Backup); err != nil {
		return err
	}
	return r.waits.RemoveSnapshots(ctx, client, call, record.Snapshot)
}

// remove is the Main hook of delete. What has no document, as its protect came to
// nothing, or one that can't be read, may still have a backup: its tags tell.
func (r *room) remove(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var doc document
	err = call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
		return err
	}
	return r.removeAll(ctx, client, call, doc.BackupID)
}
