package image

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	err = f.Look(ctx, "Verify the checkpoint, and restore another one.", func(ctx context.Context) error {
		_, err := call.Data.Stat(ctx, dataName)
		if err != nil && karbor.KindOf(err) == karbor.NotFound {
			return karbor.Errorf(karbor.Internal, "its bytes are missing in the bank")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = f.Look(ctx, "Use a cloud and a bank that keep keys.", func(ctx context.Context) error { return lookAtKey(ctx, call, doc) })
	if err != nil {
		return nil, err
	}
	return f, f.Look(ctx, "", func(ctx context.Context) error {
		i, err := r.identical(ctx, client, call, doc)
		if err != nil {
			return err
		}
		if i != nil {
			call.Mapped(fmt.Sprintf("The image %s will be used, which is there with the same bytes and properties: nothing will be uploaded.", i.ID))
			return nil
		}
		if doc.Visibility != "" && doc.Visibility != "private" {
			f.Warn(fmt.Sprintf("The image will be private: the original was %s.", doc.Visibility))
		}
		return nil
	})
}
