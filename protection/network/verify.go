package network

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// sound looks whether what the parts of a topology refer to is in it, as far as protect
// takes it in. Of an older document nobody knows which security groups are another
// project's: there it does not look at them.
func sound(_ context.Context, call *protection.Call, d *document) error {
	known := slices.ContainsFunc(d.Networks, func(n network) bool { return n.ID == call.Node.ID })
	if d.Networks == nil || !d.Project && !known {
		return karbor.Errorf(karbor.Internal, "its document tells nothing of the network itself")
	}
	for _, r := range d.dangling() {
		if r.kind != networkKind && slices.Contains(d.Outside, r.id) || r.kind == groupKind && d.Outside == nil {
			continue
		}
		if r.on != "" {
			return karbor.Errorf(karbor.Internal, "its %s has an address in the %s, which its document does not have on network %s", r.from, r.to, r.on)
		}
		return karbor.Errorf(karbor.Internal, "its %s refers to the %s, which is not in its document", r.from, r.to)
	}
	return nil
}
