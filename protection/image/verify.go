package image

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/protection"
)

// sound compares the document of an image with the bytes that are kept of it.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	kept, err := call.Data.Stat(ctx, dataName)
	if err != nil {
		return err
	}
	if d.Size != kept.Size {
		return karbor.Errorf(karbor.Internal, "%d bytes are kept of it, and its document says %d", kept.Size, d.Size)
	}
	if d.Encrypted {
		_, err := keymanager.Kept(ctx, call)
		return err
	}
	return nil
}
