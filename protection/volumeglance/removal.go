package volumeglance

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
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
// that of who was made from whom.
func (r *room) removeTemporary(ctx context.Context, c clients, call *protection.Call, record protectRecord) error {
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	if err := r.removeVolumes(ctx, c.volume, call, record.Volume); err != nil {
		return err
	}
	ids, err := findSnapshots(ctx, c.volume, call)
	if err != nil {
		return err
	}
	for _, id := range with(ids, record.Snapshot) {
		if err := r.removeSnapshot(ctx, c.volume, call, id); err != nil {
			return err
		}
		if err := call.Release(ctx, protection.HeldSnapshot, id); err != nil {
			return err
		}
	}
	return nil
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
		err := r.remove(ctx, what,
			func(ctx context.Context) (string, error) {
				v, err := volumes.Get(ctx, client, id).Extract()
				if err != nil {
					return "", err
				}
				return v.Status, nil
			},
			func(ctx context.Context) error {
				return volumes.Delete(ctx, client, id, volumes.DeleteOpts{}).ExtractErr()
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
	return r.remove(ctx, fmt.Sprintf("snapshot %s of volume %s", id, call.Node.ID),
		func(ctx context.Context) (string, error) {
			s, err := snapshots.Get(ctx, client, id).Extract()
			if err != nil {
				return "", err
			}
			return s.Status, nil
		},
		func(ctx context.Context) error { return snapshots.Delete(ctx, client, id).ExtractErr() })
}

// remove deletes one thing of Cinder's, as soon as its state lets it be deleted,
// and waits until it is gone. A tenant can't delete what is in transition.
func (r *room) remove(ctx context.Context, what string, state func(context.Context) (string, error), drop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()
	return openstack.Poll(ctx, what+" to be deleted", r.options.PollInterval, func(ctx context.Context) (bool, error) {
		status, err := state(ctx)
		if openstack.IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		switch status {
		case "deleting":
			return false, nil
		case "error_deleting":
			return false, karbor.Errorf(karbor.Conflict, "%s can't be deleted: the cloud left it in state %q", what, status)
		case "available", "error":
			err := drop(ctx)
			if openstack.IsNotFound(err) {
				return true, nil
			}
			if err != nil {
				return false, openstack.Explain(err, "deleting %s", what)
			}
			return false, nil
		default:
			return false, karbor.Transientf("%s is in state %q and can't be deleted yet", what, status)
		}
	})
}
