package volumefreezer

import (
	"context"
	"maps"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	// Volume is the new volume, which is empty until Begun.
	Volume string `json:"volume,omitempty"`
	Job    job    `json:"job,omitzero"`
	// Begun says that the job has ended well: Cinder has begun to fill the volume.
	Begun bool `json:"begun,omitempty"`
}

// restore is the Main hook of restore: a new volume, and a job that has Cinder restore the
// backup into it. Freezer tells nobody which volume it makes; so it makes none.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	f, err := r.reach(ctx, call)
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
	if record.Volume == "" {
		if record.Volume, err = ensureVolume(ctx, client, call, doc); err != nil {
			return err
		}
		record.Job = newJob()
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if !record.Begun {
		if err := r.fill(ctx, client, f, doc, record); err != nil {
			return err
		}
		record.Begun = true
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	volume, err := r.waits.AwaitVolume(ctx, client, call, record.Volume)
	if err != nil {
		return err
	}
	if err := f.forget(ctx, record.Job); err != nil {
		return err
	}
	finishing := blockstorage.Finishing{Volume: doc.Volume, Name: call.RestoredName(doc.Name),
		Description: protection.First(call.Text("restore_description"), doc.Description), Tags: call.Tags()}
	if err := blockstorage.Finish(ctx, client, call, finishing, volume); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Volume)
}

// ensureVolume gives the empty volume that is to take the original's place, and asks for it
// if there is none. Until it is finished it has the call's name: with the backup Cinder
// restores the original's metadata, and the tags are lost.
func ensureVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	options := volumes.CreateOpts{Name: call.Name(), Size: doc.Size, Metadata: maps.Clone(doc.Metadata)}
	if options.Metadata == nil {
		options.Metadata = map[string]string{}
	}
	maps.Copy(options.Metadata, call.RestoringTags())
	look := func(ctx context.Context) (string, error) {
		return blockstorage.First(blockstorage.FindVolumes(ctx, client, call))
	}
	h := protection.Holding{Kind: protection.HeldVolume, GiB: int64(doc.Size)}
	return openstack.MakeRestored(ctx, call, h, "volume", look, func(ctx context.Context) (string, error) {
		if err := blockstorage.SoundBackup(ctx, client, call, doc.BackupID, doc.Size); err != nil {
			return "", err
		}
		var err error
		if options.VolumeType, err = blockstorage.VolumeType(ctx, client, call, doc.VolumeType); err != nil {
			return "", err
		}
		if options.AvailabilityZone, err = blockstorage.Zone(ctx, client, call, doc.AvailabilityZone); err != nil {
			return "", err
		}
		v, err := volumes.Create(ctx, client, options, nil).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the volume that takes the place of volume %s", call.Node.ID)
		}
		return v.ID, nil
	})
}

// fill has Freezer restore the backup into the new volume, and gives back when Cinder has
// begun. The wait for the empty volume comes first: Cinder refuses one that is not ready,
// and the job would have failed.
func (r *room) fill(ctx context.Context, client *gophercloud.ServiceClient, f *freezer, doc document, record restoreRecord) error {
	if _, err := r.waits.AwaitVolume(ctx, client, f.call, record.Volume); err != nil {
		return err
	}
	err := f.ensure(ctx, record.Job, "restore", map[string]any{
		"cindernative_vol_id": record.Volume, "cindernative_backup_id": doc.BackupID, "container": protection.First(doc.Container, r.options.Container)})
	if err != nil {
		return err
	}
	return f.await(ctx, record.Job)
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Job.ID != "" {
		// Without a Freezer there is no job of it that could go on.
		f, err := r.reach(ctx, call)
		if err == nil {
			err = f.cancel(ctx, record.Job)
		}
		if err != nil && karbor.KindOf(err) != karbor.NotImplemented {
			return err
		}
	}
	return r.waits.RemoveVolumes(ctx, client, call, record.Volume)
}

// sound looks whether the backup that a document names can be restored, and whether
// Freezer still has its record.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	if err := blockstorage.SoundBackup(ctx, client, call, d.BackupID, d.Size); err != nil || d.FreezerBackupID == "" {
		return err
	}
	client, err = openstack.Backup(ctx, call.Cloud)
	if err != nil {
		return err
	}
	there, err := (&freezer{client: client, call: call}).recorded(ctx, d.FreezerBackupID)
	if err == nil && !there {
		return karbor.Errorf(karbor.Conflict, "Freezer has no record %s of its backup any more: somebody has deleted it there. The bytes still lie in Cinder's backup %s", d.FreezerBackupID, d.BackupID)
	}
	return err
}
