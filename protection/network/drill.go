package network

import (
	"context"

	"github.com/karbor/karbor/protection"
)

// drilled is the Drill hook of restore: it tells what the networks and their subnets are like.
func drilled(ctx context.Context, call *protection.Call) (protection.Drilled, error) {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return protection.Drilled{}, err
	}
	var out protection.Drilled
	for _, n := range doc.Networks {
		drilled := protection.DrillNetwork{ID: n.ID, Name: n.Name}
		for _, s := range doc.Subnets {
			if s.NetworkID != n.ID {
				continue
			}
			own := protection.DrillSubnet{ID: s.ID, CIDR: s.CIDR, NoDHCP: !s.EnableDHCP}
			if s.GatewayIP != nil {
				own.Gateway = *s.GatewayIP
			}
			drilled.Subnets = append(drilled.Subnets, own)
		}
		out.Networks = append(out.Networks, drilled)
	}
	return out, nil
}
