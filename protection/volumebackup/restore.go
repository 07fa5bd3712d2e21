package volumebackup

import (
	"context"
	"maps"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Volume string `json:"volume,omitempty"`
	// Name and Description are those that a volume had that was there before.
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// restore is the Main hook of restore: a new volume of the backup, or the backup's
// bytes in a volume that is there.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
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
	into := call.Text("volume_id")
	if record.Volume == "" {
		if into != "" {
			err = r.overwrite(ctx, client, call, doc, into, &record)
		} else {
			record.Volume, err = ensureVolume(ctx, client, call, doc)
		}
		if err != nil {
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
	finishing := blockstorage.Finishing{Volume: doc.Volume, Name: call.RestoredName(doc.Name), Description: doc.Description, Tags: call.Tags()}
	if into != "" {
		finishing.Name, finishing.Description, finishing.Tags = protection.First(call.Text("restore_name"), record.Name), record.Description, nil
	}
	finishing.Description = protection.First(call.Text("restore_description"), finishing.Description)
	if err := blockstorage.Finish(ctx, client, call, finishing, volume); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Volume)
}

// ensureVolume gives the volume that takes the original's place, and asks for it if
// there is none. Until it is finished it has the call's name: with the backup Cinder
// restores the original's metadata, and the tags are lost.
func ensureVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	options := volumes.CreateOpts{Name: call.Name(), Size: doc.Size, BackupID: doc.BackupID, Metadata: maps.Clone(doc.Metadata)}
	if options.Metadata == nil {
		options.Metadata = map[string]string{}
	}
	maps.Copy(options.Metadata, call.RestoringTags())
	look := func(ctx context.Context) (string, error) {
		return blockstorage.First(blockstorage.FindVolumes(ctx, client, call))
	}
	h := protection.Holding{Kind: protection.HeldVolume, GiB: int64(doc.Size)}
	return openstack.MakeRestored(ctx, call, h, "volume", look, func(ctx context.Context) (string, error) {
		if err := sound(ctx, call, &doc); err != nil {
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

// overwrite starts to restore the backup into a volume that is there, and gives the
// volume's id. A run that does not know whether an earlier one has done so does it
// again: the bytes are the same.
func (r *room) overwrite(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, into string, record *restoreRecord) error {
	target, err := fit(ctx, client, call, doc, into)
	if err != nil {
		return err
	}
	if record.Name == "" && record.Description == "" {
		record.Name, record.Description = target.Name, target.Description
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	look := func(ctx context.Context) (string, error) {
		v, err := volumes.Get(ctx, client, into).Extract()
		if err != nil || v.Status != "restoring-backup" {
			return "", openstack.Explain(err, "reading volume %s", into)
		}
		b, err := backups.Get(ctx, client, doc.BackupID).Extract()
		if err != nil || b.Status != "restoring" {
			return "", openstack.Explain(err, "reading backup %s of volume %s", doc.BackupID, call.Node.ID)
		}
		return into, nil
	}
	record.Volume, err = openstack.Make(ctx, call, "restore into volume "+into, look, func(ctx context.Context) (string, error) {
		if err := sound(ctx, call, &doc); err != nil {
			return "", err
		}
		_, err := backups.RestoreFromBackup(ctx, client, doc.BackupID, backups.RestoreOpts{VolumeID: into}).Extract()
		return into, openstack.Explain(err, "restoring backup %s of volume %s into volume %s", doc.BackupID, call.Node.ID, into)
	})
	return err
}

// fit gives the volume to restore into, if a backup can be restored into it.
func fit(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, into string) (*volumes.Volume, error) {
	for _, n := range call.Graph.Nodes() {
		if n.Key() != call.Node.Key() && call.NewResources.ID(n.Key()) == into {
			return nil, karbor.Errorf(karbor.Conflict, "volume %s can't be restored into volume %s: the %s %s was just restored into it", call.Node.ID, into, n.Type.Word(), n.ID)
		}
	}
	v, err := volumes.Get(ctx, client, into).Extract()
	if openstack.IsNotFound(err) || err == nil && v.TenantID != call.Cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no volume %s to restore volume %s into", into, call.Node.ID)
	}
	switch {
	case err != nil:
		return nil, openstack.Explain(err, "reading volume %s", into)
	case v.Size < doc.Size:
		return nil, karbor.Errorf(karbor.Invalid, "volume %s has %d GiB, which is too small to restore volume %s of %d GiB into", into, v.Size, call.Node.ID, doc.Size)
	case v.Status == "available" || v.Status == "restoring-backup":
		return v, nil
	case v.Status == "in-use":
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is attached to a server: detach it before volume %s is restored into it", into, call.Node.ID)
	case v.Status == "error" || v.Status == "error_restoring":
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is in state %q, and nothing can be restored into it", into, v.Status)
	default:
		return nil, karbor.Transientf("volume %s is in state %q, and nothing can be restored into it now", into, v.Status)
	}
}

// undoRestore is the Undo hook of restore. A volume that was there before stays, with
// what is in it by now: the cloud can't stop a restore into it.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	into := call.Text("volume_id")
	if into == "" {
		return r.waits.RemoveVolumes(ctx, client, call, record.Volume)
	}
	v, err := volumes.Get(ctx, client, into).Extract()
	if err == nil && v.Status == "restoring-backup" {
		return karbor.Transientf("a backup is still being restored into volume %s", into)
	}
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "reading volume %s", into)
}

// sound looks whether the backup that a document names can be restored.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	return blockstorage.SoundBackup(ctx, client, call, d.BackupID, d.Size)
}
