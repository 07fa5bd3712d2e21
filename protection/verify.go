package protection

import (
	"context"

	"github.com/karbor/karbor"
)

// Verified gives the hooks of a verification for a plug-in that keeps all in the bank: a
// document, which must be there and be one that sound accepts, and streams of bulk data,
// which must be there and as they were written (Repository.Verify). sound may be nil; what it
// returns is what is wrong with the resource.
func Verified[T any](document string, sound func(ctx context.Context, call *Call, document *T) error, streams ...string) Hooks {
	return Hooks{Offline: true, Main: func(ctx context.Context, call *Call) error {
		var d T
		err := call.Documents.GetJSON(ctx, document, &d)
		if karbor.KindOf(err) == karbor.NotFound && err != nil {
			return karbor.Errorf(karbor.Internal, "its document %q is missing in the bank", document)
		}
		if err != nil {
			return err
		}
		for _, name := range streams {
			err := call.Data.Verify(ctx, name, call.Progress)
			if karbor.KindOf(err) == karbor.NotFound && err != nil {
				return karbor.Errorf(karbor.Internal, "its data %q is missing in the bank", name)
			}
			if err != nil {
				return err
			}
		}
		if sound == nil {
			return nil
		}
		return sound(ctx, call, &d)
	}}
}
