package volumefreezer

import (
	"context"
	"errors"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the volume.
const documentKey = "metadata"

// document is what is kept of a volume beside its backup. It lies in the bank: members are
// only ever added.
type document struct {
	blockstorage.Volume
	// BackupID is Cinder's backup, which a restore takes.
	BackupID string `json:"backup_id"`
	// FreezerBackupID is Freezer's record of it; "" if Freezer has kept none.
	FreezerBackupID string `json:"freezer_backup_id"`
	// Container is where the cloud has put it.
	Container string `json:"container"`
	// BackupName and BackupDescription are the plan's parameters.
	BackupName        string `json:"backup_name"`
	BackupDescription string `json:"backup_description"`
}

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the volume as it was before the job was asked for.
	Source *blockstorage.Volume `json:"source,omitempty"`
	Job    job                  `json:"job,omitzero"`
	// Backup is Cinder's backup.
	Backup string `json:"backup,omitempty"`
}

// protect is the Main hook of protect.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	f, err := r.reach(ctx, call)
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
		record.Job = newJob()
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	total := int64(record.Source.Size) << 30
	call.Progress(0, total)
	if record.Backup == "" {
		if record.Backup, err = r.backup(ctx, client, f, record.Job); err != nil {
			if errors.Is(err, errVanished) {
				record.Job.Vanished = true
				err = errors.Join(err, call.Scratch.Save(ctx, record))
			}
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
	if err := mark(ctx, client, call, record.Backup); err != nil {
		return err
	}
	known, err := blockstorage.First(f.records(ctx))
	if err != nil {
		return err
	}
	if err := f.forget(ctx, record.Job); err != nil {
		return err
	}
	return call.Documents.CreateJSON(ctx, documentKey, document{
		Volume: *record.Source, BackupID: record.Backup, FreezerBackupID: known, Container: b.Container,
		BackupName: call.Text("backup_name"), BackupDescription: call.Text("description"),
	})
}

// backup has Freezer make a backup, and gives it.
func (r *room) backup(ctx context.Context, client *gophercloud.ServiceClient, f *freezer, j job) (string, error) {
	err := f.ensure(ctx, j, "backup", map[string]any{
		"cindernative_vol_id": f.call.Node.ID, "container": protection.First(f.call.Text("container"), r.options.Container)})
	if err != nil {
		return "", err
	}
	if err := f.await(ctx, j); err != nil {
		return "", err
	}
	id, err := blockstorage.First(find(ctx, client, f.call))
	if err == nil && id == "" {
		return "", karbor.Errorf(karbor.Conflict, "Freezer's job for volume %s ended well, but there is no backup named %s in the project: "+
			"its scheduler works in another project, or names backups in its own way", f.call.Node.ID, f.call.Name())
	}
	return id, err
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return r.removeAll(ctx, call, record.Job, record.Backup)
}

// remove is the Main hook of delete. What has no document, as its protect came to nothing,
// or one that can't be read, may still have a backup: its tags or its name tell.
func (r *room) remove(ctx context.Context, call *protection.Call) error {
	var doc document
	err := call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
		return err
	}
	return r.removeAll(ctx, call, job{}, doc.BackupID)
}

// removeAll ends the job, and then removes the call's backups, the recorded one ("" for
// none) among them, and Freezer's records of them.
func (r *room) removeAll(ctx context.Context, call *protection.Call, j job, recorded string) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	f, unreachable := r.reach(ctx, call)
	if unreachable == nil {
		if err := f.cancel(ctx, j); err != nil {
			return err
		}
		if j.Vanished {
			if err := f.awaitLate(ctx, client); err != nil {
				return err
			}
		}
	}
	ids, err := find(ctx, client, call)
	if err != nil {
		return err
	}
	limited, cancel := r.waits.Within(ctx)
	defer cancel()
	for _, id := range blockstorage.With(ids, recorded) {
		if err := r.drop(limited, client, call, id); err != nil {
			return err
		}
	}
	if unreachable != nil {
		// Without Freezer there are no records: what holds bytes is gone.
		if karbor.KindOf(unreachable) == karbor.NotImplemented {
			return nil
		}
		return unreachable
	}
	known, err := f.records(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range known {
		errs = append(errs, openstack.Explain(f.erase(ctx, "backups", id), "removing Freezer's record of the backup of volume %s", call.Node.ID))
	}
	return errors.Join(errs...)
}
