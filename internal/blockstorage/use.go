package blockstorage

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Use is what is made of a volume, each of its size and type: so much of the project's quotas it uses.
type Use struct{ Volumes, Snapshots, Backups int64 }

// Foresee gives the Preflight hook of protect of a plug-in for volumes. stays is what it makes of a volume and leaves
// in the cloud, and passes what is there at one time besides, for a while. Of a volume that can't be read nothing is
// foreseen: the hooks themselves tell why.
func Foresee(stays, passes Use) func(context.Context, *protection.Call) (*protection.Forecast, error) {
	return func(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
		f := protection.NewForecast(call)
		client, err := openstack.BlockStorage(ctx, call.Cloud)
		if err != nil {
			return nil, err
		}
		v, err := volumes.Get(ctx, client, call.Node.ID).Extract()
		if err != nil {
			err = openstack.Explain(err, "reading volume %s", call.Node.ID)
			if karbor.IsTransient(err) || ctx.Err() != nil {
				return nil, err
			}
			return f, nil
		}
		stays.Of(v.Size, v.VolumeType, f.Need)
		passes.Of(v.Size, v.VolumeType, f.NeedForAWhile)
		return f, nil
	}
}

// Of tells need what it is of the quotas, for a volume of a size in GiB and a type, "" for one that is not known.
func (u Use) Of(size int, kind string, need func(what protection.Need, amount int64)) {
	tell := func(what protection.Need, amount int64) {
		if amount == 0 {
			return
		}
		need(what, amount)
		if kind != "" {
			need(what.OfVolumeType(kind), amount)
		}
	}
	tell(protection.NeedVolumes, u.Volumes)
	tell(protection.NeedSnapshots, u.Snapshots)
	tell(protection.NeedGigabytes, (u.Volumes+u.Snapshots)*int64(size))
	tell(protection.NeedGigabytes.OfSnapshots(), u.Snapshots*int64(size))
	if u.Backups > 0 { // which volume types have no quotas of
		need(protection.NeedBackups, u.Backups)
		need(protection.NeedBackupGigabytes, u.Backups*int64(size))
	}
}
