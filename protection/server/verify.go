package server

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// sound looks for what a server can't be restored without. Its volumes and its image are
// verified by themselves.
func sound(_ context.Context, _ *protection.Call, d *document) error {
	switch {
	case d.Flavor.ID == "" && d.Flavor.Name == "" && d.Flavor.VCPUs == 0:
		return karbor.Errorf(karbor.Internal, "its document tells nothing of its flavor")
	case d.Image == "" && len(d.Volumes) == 0:
		return karbor.Errorf(karbor.Internal, "its document tells nothing that it boots from")
	}
	return nil
}
