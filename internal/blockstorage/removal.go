package blockstorage

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// With adds id to ids if it is not empty and not there.
func With(ids []string, id string) []string {
	if id == "" || slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

// RemoveVolumes removes the volumes that the call's hooks made: those that are found,
// and the recorded one ("" for none).
func (w Waits) RemoveVolumes(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, recorded string) error {
	ids, err := FindVolumes(ctx, client, call)
	if err != nil {
		return err
	}
	limited, cancel := w.Within(ctx)
	defer cancel()
	for _, id := range With(ids, recorded) {
		err := w.Remove(limited, fmt.Sprintf("volume %s, made for volume %s", id, call.Node.ID), openstack.Removal{
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
	}
	return nil
}

// RemoveSnapshots removes the snapshots that the call's hooks made: those that are
// found, and the recorded one ("" for none).
func (w Waits) RemoveSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, recorded string) error {
	ids, err := FindSnapshots(ctx, client, call)
	if err != nil {
		return err
	}
	limited, cancel := w.Within(ctx)
	defer cancel()
	for _, id := range With(ids, recorded) {
		err := w.Remove(limited, fmt.Sprintf("snapshot %s of volume %s", id, call.Node.ID), openstack.Removal{
			State: func(ctx context.Context) (string, error) {
				s, err := snapshots.Get(ctx, client, id).Extract()
				if err != nil {
					return "", err
				}
				return s.Status, nil
			},
			Drop: func(ctx context.Context) error { return snapshots.Delete(ctx, client, id).ExtractErr() },
		})
		if err != nil {
			return err
		}
		if err := call.Release(ctx, protection.HeldSnapshot, id); err != nil {
			return err
		}
	}
	return nil
}
