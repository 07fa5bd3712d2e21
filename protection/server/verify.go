package server

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// sound looks for what a server can't be restored without: its flavor, and what it boots
// from. A volume that it boots from must be in the checkpoint; whether it is good is
// verified by itself, as the other volumes and the image are, and the service tells of
// what the server has among its children.
func sound(_ context.Context, call *protection.Call, d *document) error {
	switch {
	case d.Flavor.ID == "" && d.Flavor.Name == "" && d.Flavor.VCPUs == 0:
		return karbor.Errorf(karbor.Internal, "its document tells nothing of its flavor")
	case d.Image == "" && len(d.Volumes) == 0:
		return karbor.Errorf(karbor.Internal, "its document tells nothing that it boots from")
	}
	if d.Image != "" {
		return nil
	}
	for _, v := range d.Volumes {
		if v.BootIndex != 0 {
			continue
		}
		key := karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: v.VolumeID}, "")
		if call.Graph.Node(key) == nil || !slices.Contains(call.Node.Children, key) {
			return karbor.Errorf(karbor.Internal, "it boots from volume %s, which is not in the checkpoint", v.VolumeID)
		}
		return nil
	}
	return karbor.Errorf(karbor.Internal, "its document tells of no volume that it boots from")
}
