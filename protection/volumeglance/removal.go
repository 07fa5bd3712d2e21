package volumeglance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return r.removeTemporary(ctx, c, call, record)
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if err := r.removeVolumes(ctx, c.volume, call, record.Volume); err != nil {
		return err
	}
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil || !record.Keyed {
		return err
	}
	// One that no image has got yet. Clones that Cinder made of it were of volumes that are gone.
	return keymanager.Remove(ctx, call)
}

// removeTemporary removes all that protect made in the cloud: what the record
// names, and what an earlier run made without living to record it. The order is
// that of who was made from whom. What the cloud does not delete stops nothing else
// from going: its errors come together.
func (r *room) removeTemporary(ctx context.Context, c clients, call *protection.Call, record protectRecord) error {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	stuck := r.removeVolumes(ctx, c.volume, call, record.Volume)
	if stuck != nil && !undeletable(stuck) {
		return stuck
	}
	ids, err := findSnapshots(ctx, c.volume, call)
	if err != nil {
		return errors.Join(err, stuck) // the first one counts: it may pass
	}
	for _, id := range with(ids, record.Snapshot) {
		if err := r.removeSnapshot(ctx, c.volume, call, id); err != nil {
			return errors.Join(err, stuck)
		}
		if err := call.Release(ctx, protection.HeldSnapshot, id); err != nil {
			return err
		}
	}
	return stuck
}

// undeletable reports whether an error says that the cloud does not delete a thing, or has not as long as one waits.
func undeletable(err error) bool {
	kind := karbor.KindOf(err)
	return (kind == karbor.Conflict || kind == karbor.Unavailable) && !karbor.IsTransient(err)
}

// waits bounds removals, and waits for snapshots and for room.
func (r *room) waits() blockstorage.Waits {
	return blockstorage.Waits{Waits: openstack.Waits{Longest: r.options.PollInterval, Timeout: r.options.Timeout}}
}

// with adds id to ids if it is not empty and not there.
func with(ids []string, id string) []string {
	if id == "" || slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

func (r *room) removeImages(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, recorded string) error {
	made, err := madeImages(ctx, client, call)
	if err != nil {
		return err
	}
	var ids []string
	for _, i := range made {
		if err := keymanager.Part(ctx, call.Cloud, client, i); err != nil {
			return err
		}
		ids = append(ids, i.ID)
	}
	for _, id := range with(ids, recorded) {
		err := images.Delete(ctx, client, id).ExtractErr()
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "deleting image %s, made for volume %s", id, call.Node.ID)
		}
		if err := call.Release(ctx, protection.HeldImage, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) removeVolumes(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, recorded string) error {
	ids, err := findVolumes(ctx, client, call)
	if err != nil {
		return err
	}
	for _, id := range with(ids, recorded) {
		what := fmt.Sprintf("volume %s, made for volume %s", id, call.Node.ID)
		err := r.waits().Remove(ctx, what, openstack.Removal{
			State: func(ctx context.Context) (string, error) {
				v, err := volumes.Get(ctx, client, id).Extract()
				if err != nil {
					return "", err
				}
				return v.Status, nil
			},
			Drop: func(ctx context.Context) error {
				return volumes.Delete(ctx, client, id, volumes.DeleteOpts{}).ExtractErr()
			},
		})
		if err != nil {
			return err
		}
		if err := call.Release(ctx, protection.HeldVolume, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) removeSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	return r.waits().Remove(ctx, fmt.Sprintf("snapshot %s of volume %s", id, call.Node.ID), openstack.Removal{
		State: func(ctx context.Context) (string, error) {
			s, err := snapshots.Get(ctx, client, id).Extract()
			if err != nil {
				return "", err
			}
			return s.Status, nil
		},
		Drop: func(ctx context.Context) error { return snapshots.Delete(ctx, client, id).ExtractErr() },
	})
}
