package volumeglance

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	c, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	f.Need(protection.NeedVolumes, 1)
	f.Need(protection.NeedGigabytes, int64(doc.Size))
	for _, part := range []struct {
		remedy string
		look   func(context.Context) error
	}{
		{"Map the volume type (volume_types).", func(ctx context.Context) error {
			_, err := usableType(ctx, c.volume, call, doc.VolumeType)
			return err
		}},
		{"Map the availability zone (availability_zones).", func(ctx context.Context) error {
			_, err := usableZone(ctx, c.volume, call, doc.AvailabilityZone)
			return err
		}},
		{"Verify the checkpoint, and restore another one.", func(ctx context.Context) error {
			_, err := call.Data.Stat(ctx, dataName)
			if err != nil && karbor.KindOf(err) == karbor.NotFound {
				return karbor.Errorf(karbor.Internal, "its bytes are missing in the bank")
			}
			return err
		}},
	} {
		if err := f.Look(ctx, part.remedy, part.look); err != nil {
			return nil, err
		}
	}
	return f, nil
}
