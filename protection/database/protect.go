package database

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// The modes of backups.
const (
	full        = "full"
	incremental = "incremental"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the instance as it was when its backup began.
	Source *document `json:"source,omitempty"`
	// Decided says that it was decided what the backup stands on: Parent, or "" for a
	// full one.
	Decided bool   `json:"decided,omitempty"`
	Parent  string `json:"parent,omitempty"`
	Backup  string `json:"backup,omitempty"`
}

// begin is the PrepareFinish hook of protect: it asks for the backup, so that it is of the
// time at which the other resources are snapshotted.
func (r *room) begin(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Backup != "" {
		return nil
	}
	k := keeper{client: client, call: call, waits: r.waits}
	if record.Source == nil {
		if record.Source, err = inspect(ctx, client, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if !record.Decided {
		if err := k.decide(ctx, &record); err != nil {
			return err
		}
	}
	if record.Backup, err = k.ensure(ctx, record.Parent); err != nil {
		return err
	}
	return call.Scratch.Save(ctx, record)
}

// decide says, once, what the backup stands on. An incremental one that was asked for and
// can't be is full, and the tenant is told.
func (k keeper) decide(ctx context.Context, record *protectRecord) error {
	if k.call.Text("backup_mode") == incremental {
		parent, err := k.parent(ctx, record.Source)
		if err != nil {
			return err
		}
		if record.Parent = parent; parent == "" {
			k.call.NotKept("The backup is a full one in place of an incremental one: Karbor has made no earlier one of this instance and its datastore's version.")
		}
	}
	record.Decided = true
	return k.call.Scratch.Save(ctx, record)
}

// protect is the Main hook of protect: it waits for the backup.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil || record.Backup == "" {
		return fmt.Errorf("protecting database instance %s: no backup was recorded", call.Node.ID)
	}
	total := int64(record.Source.Size) << 30
	call.Progress(0, total)
	k := keeper{client: client, call: call, waits: r.waits}
	if err := k.await(ctx, record.Backup); err != nil {
		return err
	}
	call.Progress(total, total)
	doc := *record.Source
	if doc.BackupID, doc.BackupMode = record.Backup, full; record.Parent != "" {
		doc.BackupMode = incremental
	}
	return call.Documents.CreateJSON(ctx, documentKey, doc)
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Source == nil {
		return err // nothing was asked for, as there is no Trove, say
	}
	return r.drop(ctx, call, record.Backup)
}

// remove is the Main hook of delete. What has no document, as its protect came to
// nothing, or one that can't be read, may still have a backup: its mark tells.
func (r *room) remove(ctx context.Context, call *protection.Call) error {
	var doc document
	err := call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
		return err
	}
	return r.drop(ctx, call, doc.BackupID)
}

func (r *room) drop(ctx context.Context, call *protection.Call, recorded string) error {
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	return keeper{client: client, call: call, waits: r.waits}.drop(ctx, recorded)
}

// sound looks whether the backup that a document names can be restored: it is there,
// completed, of this instance, and so are all that it stands on.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	if d.BackupID == "" || d.FlavorID == "" || d.Datastore == "" {
		return karbor.Errorf(karbor.Internal, "its document names no backup, flavor or datastore")
	}
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for id, what := d.BackupID, "its backup"; id != ""; what = "a backup that its backup stands on," {
		if seen[id] {
			return karbor.Errorf(karbor.Internal, "%s %s stands on itself", what, id)
		}
		seen[id] = true
		b, err := database.GetBackup(ctx, client, call.Cloud, id)
		switch {
		case openstack.IsNotFound(err):
			return karbor.Errorf(karbor.Conflict, "%s %s is not in this project of this cloud: it was deleted, or the checkpoint was made elsewhere", what, id)
		case err != nil:
			return err
		case b.InstanceID != call.Node.ID:
			return karbor.Errorf(karbor.Internal, "%s %s is of another instance", what, id)
		case b.Running():
			return karbor.Transientf("%s %s is in state %q", what, id, b.Status)
		case b.Status != database.Completed:
			return karbor.Errorf(karbor.Conflict, "%s %s is in state %q", what, id, b.Status)
		case d.Size > 0 && b.Size > float64(d.Size):
			return karbor.Errorf(karbor.Internal, "%s %s has %g GiB, and its document says that the volume has %d", what, id, b.Size, d.Size)
		}
		id = b.ParentID
	}
	return nil
}
