package server

import (
	"context"
	"slices"

	"github.com/karbor/karbor/protection"
)

// drilled is the Drill hook of restore: it tells which networks, subnets and security groups
// the server's ports are in, and which of them are open.
func drilled(ctx context.Context, call *protection.Call) (protection.Drilled, error) {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return protection.Drilled{}, err
	}
	var out protection.Drilled
	for _, p := range doc.Ports {
		n := protection.DrillNetwork{ID: p.NetworkID, Groups: slices.Clone(p.SecurityGroups), Open: p.open()}
		for _, g := range doc.SecurityGroups { // what rules refer to is not made either
			n.Groups = append(n.Groups, g.ID)
		}
		for _, ip := range p.FixedIPs {
			n.Subnets = append(n.Subnets, protection.DrillSubnet{ID: ip.SubnetID, Addresses: []string{ip.IPAddress}})
		}
		out.Networks = append(out.Networks, n)
	}
	return out, nil
}
