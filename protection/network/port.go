package network

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// ports makes the tenant's own ports on the networks that are new.
func (b *builder) ports(ctx context.Context) error {
	for _, p := range b.doc.Ports {
		if !b.made[p.NetworkID] {
			continue
		}
		body := map[string]any{
			"name": p.Name, "network_id": b.ids[p.NetworkID], "admin_state_up": p.AdminStateUp,
			"mac_address": p.MACAddress, "fixed_ips": b.mapIPs(p.FixedIPs),
		}
		if p.VNICType != "" && p.VNICType != "normal" {
			body["binding:vnic_type"] = p.VNICType
		}
		if p.PortSecurity != nil && !*p.PortSecurity {
			body["port_security_enabled"] = false
		} else {
			body["security_groups"] = b.mapGroups(p)
			if len(p.AllowedAddressPairs) > 0 {
				body["allowed_address_pairs"] = b.mapPairs(p)
			}
		}
		_, err := b.ensure(ctx, portKind, p.common, body)
		if karbor.KindOf(err) == karbor.Conflict {
			// Another port has the hardware address or the fixed one by now.
			delete(body, "mac_address")
			body["fixed_ips"] = withoutAddresses(b.mapIPs(p.FixedIPs))
			if _, err = b.ensure(ctx, portKind, p.common, body); err == nil {
				b.call.NotKept(fmt.Sprintf("The port %q (%s) has other addresses: the original ones are in use.", p.Name, p.ID))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func withoutAddresses(ips []fixedIP) []fixedIP {
	for i := range ips {
		ips[i].IPAddress = ""
	}
	return ips
}

// mapGroups gives the groups that take the place of a port's.
func (b *builder) mapGroups(p port) []string {
	out := []string{}
	for _, g := range p.SecurityGroups {
		if id := b.ids[g]; id != "" {
			out = append(out, id)
		} else {
			b.call.NotKept(fmt.Sprintf("The port %q (%s) is not in security group %s: it is not there.", p.Name, p.ID, g))
		}
	}
	return out
}

// mapPairs gives the address pairs without those hardware addresses that are the
// port's own: Neutron puts the new port's there.
func (b *builder) mapPairs(p port) []addressPair {
	out := make([]addressPair, 0, len(p.AllowedAddressPairs))
	for _, a := range p.AllowedAddressPairs {
		if a.MACAddress == p.MACAddress {
			a.MACAddress = ""
		}
		out = append(out, a)
	}
	return out
}

// release removes all of a router's interfaces among ports, and the static routes
// that need them.
func release(ctx context.Context, n neutron, routerID string, ports []port, lost func(hop string) bool) error {
	var now router
	err := n.show(ctx, routerKind, routerID, &now)
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := []hostRoute{}
	for _, route := range now.Routes {
		if !lost(route.NextHop) {
			kept = append(kept, route)
		}
	}
	if len(kept) < len(now.Routes) {
		err := n.update(ctx, routerKind, routerID, map[string]any{"routes": kept})
		if openstack.IsNotFound(err) {
			return nil // another node's undo has removed it meanwhile
		}
		if err != nil {
			return openstack.Explain(err, "removing routes of router %s", routerID)
		}
	}
	for _, p := range ports {
		if !p.isRouterInterface() || p.DeviceID != routerID {
			continue
		}
		err := n.act(ctx, routerID, "remove_router_interface", map[string]any{"port_id": p.ID})
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "taking port %s from router %s", p.ID, routerID)
		}
	}
	return nil
}
