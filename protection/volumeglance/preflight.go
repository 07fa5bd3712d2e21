package volumeglance

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/protection"
)

// foresee is the Preflight hook of protect.
var foresee = blockstorage.Foresee(blockstorage.Use{}, blockstorage.Use{Volumes: 1, Snapshots: 1})

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
			_, err := usableType(ctx, c.volume, call, doc)
			return err
		}},
		{"Map the availability zone (availability_zones).", func(ctx context.Context) error {
			_, err := usableZone(ctx, c.volume, call, doc.AvailabilityZone)
			return err
		}},
		{"Use a cloud and a bank that keep keys.", func(ctx context.Context) error {
			if !doc.Encrypted {
				return nil
			}
			return lookAtKey(ctx, call)
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

// preflightInPlace is the Preflight hook of a restore in place.
func (r *room) preflightInPlace(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	c, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	size, kind := doc.Size, ""
	err = f.Look(ctx, "Restore to a new volume, or do what the message says.", func(ctx context.Context) error {
		place, err := r.overwritable(ctx, c, call, doc)
		if err == nil {
			size, kind = place.Size, place.Was.VolumeType
		}
		if err == nil && place.Attachment != nil && place.Attachment.Running {
			f.Warn(fmt.Sprintf("The server %s is stopped for it, and started again. What it writes between the safety checkpoint and that stop "+
				"is in no checkpoint: stop it yourself before, if that matters.", place.Attachment.Server))
		}
		return err
	})
	// All snapshots are there at one time. Before, the safety checkpoint has a volume beside each.
	blockstorage.Use{Snapshots: 1}.Of(size, kind, f.Need)
	blockstorage.Use{Volumes: 1}.Of(size, kind, f.NeedForAWhile)
	return f, err
}
