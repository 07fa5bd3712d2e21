package blockstorage

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/protection"
)

// Foresight is what a look ahead at the restore of a volume looks at.
type Foresight struct {
	// Volume is the original.
	Volume
	// Sound looks whether what the volume is made of can be restored.
	Sound func(ctx context.Context) error
	// Into, for a restore into a volume that is there, looks whether that can take it; nil for a new volume.
	Into func(ctx context.Context) error
	// Placed says that the restore asks for the new volume's type and availability zone: see VolumeType and Zone.
	Placed bool
}

// Preflight is what the Preflight hooks of the plug-ins for volumes do: it looks ahead at a restore as the restore
// itself would, and changes nothing.
func Preflight(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, d Foresight) (*protection.Forecast, error) {
	f := protection.NewForecast(call)
	if err := f.Look(ctx, "Verify the checkpoint, and restore another one.", d.Sound); err != nil {
		return nil, err
	}
	if d.Into != nil {
		return f, f.Look(ctx, "Choose another volume (volume_id), or restore to a new one.", d.Into)
	}
	f.Need(protection.NeedVolumes, 1)
	f.Need(protection.NeedGigabytes, int64(d.Size))
	if !d.Placed {
		return f, nil
	}
	err := f.Look(ctx, "Map the volume type (volume_types).", func(ctx context.Context) error {
		_, err := VolumeType(ctx, client, call, d.VolumeType)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, f.Look(ctx, "Map the availability zone (availability_zones).", func(ctx context.Context) error {
		_, err := Zone(ctx, client, call, d.AvailabilityZone)
		return err
	})
}
