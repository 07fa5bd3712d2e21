package blockstorage

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// EnsureSnapshot gives the call's snapshot, and asks for it if there is none. Of options,
// Name, Description and Metadata count; the metadata holds the call's tags.
func EnsureSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, options snapshots.CreateOpts) (string, error) {
	find := func(ctx context.Context) (string, error) { return First(FindSnapshots(ctx, client, call)) }
	return openstack.Make(ctx, call, "snapshot", find, func(ctx context.Context) (string, error) {
		s, err := snapshots.Create(ctx, client, snapshots.CreateOpts{
			VolumeID: call.Node.ID, Name: options.Name, Description: options.Description, Metadata: options.Metadata,
			// Attached volumes need force; for others it changes nothing.
			Force: true,
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating a snapshot of volume %s", call.Node.ID)
		}
		return s.ID, nil
	})
}

// FindSnapshots gives the ids of the snapshots that the call's hooks made, by their
// tags.
func FindSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := openstack.AllPages(ctx, snapshots.List(client, snapshots.ListOpts{VolumeID: call.Node.ID}), snapshots.ExtractSnapshots)
	if err != nil {
		return nil, openstack.Explain(err, "listing the snapshots of volume %s", call.Node.ID)
	}
	var ids []string
	for _, s := range all {
		if s.VolumeID == call.Node.ID && call.Tagged(s.Metadata) {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// AwaitSnapshot waits until a snapshot is available.
func (w Waits) AwaitSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*snapshots.Snapshot, error) {
	ctx, cancel := w.Within(ctx)
	defer cancel()
	what := "snapshot " + id + " of volume " + call.Node.ID
	var snapshot *snapshots.Snapshot
	err := openstack.Poll(ctx, what, w.Longest, func(ctx context.Context) (bool, error) {
		s, err := snapshots.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		snapshot = s
		switch s.Status {
		case "available":
			return true, nil
		case "creating", "backing-up":
			return false, openstack.Still("in state %q", s.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, s.Status)
		}
	})
	return snapshot, err
}
