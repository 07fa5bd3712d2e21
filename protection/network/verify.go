package network

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// sound looks whether what the parts of a topology refer to is in it, as far as protect
// takes it in. Of an older document nobody knows what is another project's, or was not there
// yet: in it no security group need be there, and of the subnets of a network one.
func sound(_ context.Context, call *protection.Call, d *document) error {
	known := slices.ContainsFunc(d.Networks, func(n network) bool { return n.ID == call.Node.ID })
	if d.Networks == nil || !d.Project && !known {
		return karbor.Errorf(karbor.Internal, "its document tells nothing of the network itself")
	}
	for _, r := range d.dangling() {
		if r.kind != networkKind && slices.Contains(d.Outside, r.id) || d.Outside == nil && d.perhapsOutside(r) {
			continue
		}
		if r.on != "" {
			return karbor.Errorf(karbor.Internal, "its %s has an address in the %s, which its document does not have on network %s", r.from, r.to, r.on)
		}
		return karbor.Errorf(karbor.Internal, "its %s refers to the %s, which is not in its document", r.from, r.to)
	}
	return nil
}

// perhapsOutside reports whether what a part of an older document refers to may never have been in it.
func (d *document) perhapsOutside(r reference) bool {
	if r.kind != subnetKind {
		return r.kind == groupKind
	}
	others := false
	for i := range d.Subnets {
		if d.Subnets[i].ID == r.id {
			return false
		}
		others = others || d.Subnets[i].NetworkID == r.on
	}
	return others
}
