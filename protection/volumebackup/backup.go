package volumebackup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// oldest is the minor microversion that is needed: backups have metadata, by which
// they are found again, since 3.43, and a volume is made of one since 3.47.
const oldest = 47

// connect gives a client of Cinder.
func connect(ctx context.Context, call *protection.Call) (*gophercloud.ServiceClient, error) {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	_, text, _ := strings.Cut(client.Microversion, ".")
	if minor, _ := strconv.Atoi(text); minor < oldest {
		return nil, karbor.Errorf(karbor.NotImplemented, "the cloud's block storage offers no microversion 3.%d, which backups by Karbor need", oldest)
	}
	return client, nil
}

// metadataOf gives a backup's metadata.
func metadataOf(b *backups.Backup) map[string]string {
	if b.Metadata == nil {
		return nil
	}
	return *b.Metadata
}

// find gives the ids of the backups that the call's hooks made, by their tags.
func find(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := blockstorage.BackupsOf(ctx, client, call)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range all {
		if call.Tagged(metadataOf(&all[i])) {
			ids = append(ids, all[i].ID)
		}
	}
	return ids, nil
}

// whyFull says why an incremental backup of a snapshot can't be made, or "". Cinder
// takes the newest backup that is older than the snapshot for the parent, whatever its
// state.
func whyFull(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, snapshot string, size int) (string, error) {
	s, err := snapshots.Get(ctx, client, snapshot).Extract()
	if err != nil {
		return "", openstack.Explain(err, "reading snapshot %s of volume %s", snapshot, call.Node.ID)
	}
	all, err := blockstorage.BackupsOf(ctx, client, call)
	if err != nil {
		return "", err
	}
	var parent *backups.Backup
	for i := range all {
		b := &all[i]
		if b.DataTimestamp.Before(s.CreatedAt) && (parent == nil || b.DataTimestamp.After(parent.DataTimestamp)) {
			parent = b
		}
	}
	switch {
	case parent == nil:
		return "the volume has no earlier one", nil
	case parent.Status != "available":
		return fmt.Sprintf("the one before it, %s, is in state %q", parent.ID, parent.Status), nil
	case metadataOf(parent)[unneededTag] != "":
		return fmt.Sprintf("the one before it, %s, is kept only until others are deleted", parent.ID), nil
	case parent.Size < size:
		return "the volume has grown since the one before it", nil
	}
	return "", nil
}

// ensure gives the call's backup of the snapshot, and asks for it if there is none.
func ensure(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record *protectRecord) (string, error) {
	look := func(ctx context.Context) (string, error) { return blockstorage.First(find(ctx, client, call)) }
	return openstack.Make(ctx, call, "backup", look, func(ctx context.Context) (string, error) {
		id, err := create(ctx, client, call, record)
		if err == nil || !record.Incremental || karbor.KindOf(err) != karbor.Invalid {
			return id, err
		}
		// What it was to stand on may have gone since it was decided.
		why, failed := whyFull(ctx, client, call, record.Snapshot, record.Source.Size)
		if failed != nil || why == "" {
			return "", errors.Join(err, failed)
		}
		if err := record.makeFull(ctx, call, why); err != nil {
			return "", err
		}
		return create(ctx, client, call, record)
	})
}

// create asks for the call's backup.
func create(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record *protectRecord) (string, error) {
	b, err := backups.Create(ctx, client, backups.CreateOpts{
		VolumeID: call.Node.ID, SnapshotID: record.Snapshot, Name: protection.First(call.Text("backup_name"), call.Name()),
		Description: call.Text("description"), Container: call.Text("container"), Incremental: record.Incremental,
		// The bytes come from the snapshot, but some releases look at the volume.
		Force: true, Metadata: call.Tags(),
	}).Extract()
	if err != nil {
		return "", openstack.Explain(err, "creating a backup of volume %s", call.Node.ID)
	}
	return b.ID, nil
}

// unneededTag marks, in its metadata, a backup whose checkpoint is deleted, and which
// stays only since incremental ones stand on it. With the last of them it goes.
const unneededTag = "karbor_unneeded"

// removeAll removes the call's backups, the recorded one ("" for none) among them, and
// then those earlier ones of the volume that nothing needs any more.
func (r *room) removeAll(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, recorded string) error {
	ctx, cancel := r.waits.Within(ctx)
	defer cancel()
	ids, err := find(ctx, client, call)
	if err != nil {
		return err
	}
	for _, id := range blockstorage.With(ids, recorded) {
		if err := r.dispose(ctx, client, call, id); err != nil {
			return err
		}
	}
	return r.sweep(ctx, client, call)
}

// dispose removes a backup, or marks it if incremental ones stand on it: the cloud
// deletes no parent before its children.
func (r *room) dispose(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	for {
		b, err := backups.Get(ctx, client, id).Extract()
		if openstack.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return openstack.Explain(err, "reading backup %s of volume %s", id, call.Node.ID)
		}
		if !b.HasDependentBackups {
			return r.drop(ctx, client, call, id)
		}
		metadata := maps.Clone(metadataOf(b))
		if metadata[unneededTag] != "" {
			return nil
		}
		if metadata == nil {
			metadata = call.Tags()
		}
		// What stands on it may have gone by the time that it is marked: look again.
		metadata[unneededTag] = "true"
		if err := mark(ctx, client, id, metadata); err != nil {
			return openstack.Explain(err, "marking backup %s of volume %s, which incremental ones stand on", id, call.Node.ID)
		}
	}
}

// mark replaces a backup's metadata.
func mark(ctx context.Context, client *gophercloud.ServiceClient, id string, metadata map[string]string) error {
	body := map[string]any{"backup": map[string]any{"metadata": metadata}}
	response, err := client.Put(ctx, client.ServiceURL("backups", id), body, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// sweep removes the marked backups of the volume that nothing stands on, the children
// before their parents.
func (r *room) sweep(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) error {
	for {
		all, err := blockstorage.BackupsOf(ctx, client, call)
		if err != nil {
			return err
		}
		gone := 0
		for i := range all {
			b := &all[i]
			metadata := metadataOf(b)
			if metadata[unneededTag] == "" || metadata[protection.ResourceTag] == "" || b.HasDependentBackups {
				continue
			}
			if err := r.drop(ctx, client, call, b.ID); err != nil {
				return err
			}
			gone++
		}
		if gone == 0 {
			return nil
		}
	}
}

// drop deletes a backup and waits until it is gone.
func (r *room) drop(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	return r.waits.Remove(ctx, fmt.Sprintf("backup %s of volume %s", id, call.Node.ID), openstack.Removal{
		State: func(ctx context.Context) (string, error) {
			b, err := backups.Get(ctx, client, id).Extract()
			if err != nil {
				return "", err
			}
			return b.Status, nil
		},
		Drop: func(ctx context.Context) error { return backups.Delete(ctx, client, id).ExtractErr() },
	})
}
