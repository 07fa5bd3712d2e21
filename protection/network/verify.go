package network

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// sound looks whether what the parts of a topology refer to is in it, as far as protect
// takes it in.
func sound(_ context.Context, call *protection.Call, d *document) error {
	known := make(map[string]bool, len(d.Networks))
	for i := range d.Networks {
		known[d.Networks[i].ID] = true
	}
	if d.Networks == nil || !d.Project && !known[call.Node.ID] {
		return karbor.Errorf(karbor.Internal, "its document tells nothing of the network itself")
	}
	for i := range d.Subnets {
		if !known[d.Subnets[i].NetworkID] {
			return karbor.Errorf(karbor.Internal, "its subnet %s is of a network that is not in its document", d.Subnets[i].ID)
		}
	}
	for i := range d.Routers {
		for _, p := range d.Routers[i].Interfaces {
			if !known[p.NetworkID] {
				return karbor.Errorf(karbor.Internal, "its router %s is on a network that is not in its document", d.Routers[i].ID)
			}
		}
	}
	for i := range d.Ports {
		if !known[d.Ports[i].NetworkID] {
			return karbor.Errorf(karbor.Internal, "its port %s is on a network that is not in its document", d.Ports[i].ID)
		}
	}
	return nil
}
