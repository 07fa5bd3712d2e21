package openstack

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// volumeNeeds are the quotas of Cinder that an operation may use.
var volumeNeeds = []protection.Need{
	protection.NeedVolumes, protection.NeedGigabytes, protection.NeedSnapshots, protection.NeedBackups, protection.NeedBackupGigabytes,
}

// volumeRoom reads the quotas of Cinder: those of the project, and those for volume types, if any of the needs is of
// one. These are in one document, which members may read unless the operator's policy says otherwise.
func volumeRoom(ctx context.Context, c karbor.Cloud, needs []protection.Need, out map[protection.Need]headroom) error {
	client, err := BlockStorage(ctx, c)
	if err != nil {
		return err
	}
	var l limits
	if err := readIfTold(ctx, client, client.ServiceURL("limits"), &l); err != nil {
		return explain(err, "reading the limits of the %s service", blockStorageService.name)
	}
	l.into(out, protection.NeedVolumes, "maxTotalVolumes", "totalVolumesUsed")
	l.into(out, protection.NeedGigabytes, "maxTotalVolumeGigabytes", "totalGigabytesUsed")
	l.into(out, protection.NeedSnapshots, "maxTotalSnapshots", "totalSnapshotsUsed")
	l.into(out, protection.NeedBackups, "maxTotalBackups", "totalBackupsUsed")
	l.into(out, protection.NeedBackupGigabytes, "maxTotalBackupGigabytes", "totalBackupGigabytesUsed")
	if !slices.ContainsFunc(needs, func(n protection.Need) bool { return n.VolumeType != "" }) {
		return nil
	}
	var answer struct {
		Quotas map[string]json.RawMessage `json:"quota_set"`
	}
	if err := readIfTold(ctx, client, client.ServiceURL("os-quota-sets", c.ProjectID())+"?usage=True", &answer); err != nil {
		return explain(err, "reading the quotas of the %s service", blockStorageService.name)
	}
	for _, n := range needs {
		if n.VolumeType == "" || n.Snapshots {
			continue
		}
		if room, told := roomOf(answer.Quotas[n.Quota+"_"+n.VolumeType]); told {
			out[n] = room
		}
	}
	return nil
}

// snapshotsCount tells whether Cinder counts the gigabytes of snapshots, as it does unless its operator has set
// no_snapshot_gb_quota. Nothing says so but the sum: used are the gigabytes in use. Where the project has no snapshots
// that is not known, and the default is taken.
func snapshotsCount(ctx context.Context, c karbor.Cloud, used int64) (bool, error) {
	client, err := BlockStorage(ctx, c)
	if err != nil {
		return false, err
	}
	made, err := AllPages(ctx, snapshots.List(client, snapshots.ListOpts{}), snapshots.ExtractSnapshots)
	if err != nil {
		return false, explain(err, "listing the snapshots of the project")
	}
	there, err := AllPages(ctx, volumes.List(client, volumes.ListOpts{}), volumes.ExtractVolumes)
	if err != nil {
		return false, explain(err, "listing the volumes of the project")
	}
	var ofSnapshots, ofVolumes int64
	for _, s := range made {
		ofSnapshots += int64(s.Size)
	}
	for i := range there {
		ofVolumes += int64(there[i].Size)
	}
	return ofSnapshots == 0 || used >= ofVolumes+ofSnapshots, nil
}
