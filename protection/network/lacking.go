package network

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// anew is what a tenant can do where something is used as it is.
const anew = "The restore parameter restore_name makes a copy that has all."

// lacking tells what the networks that are used as they are, and their routers, lack of what hung on the originals.
// It is not made: what is there is its tenant's, who may have taken it away.
func (b *builder) lacking(ctx context.Context) error {
	instead := map[string]string{} // the subnets that are there, by the originals
	for _, n := range b.reused {
		there, err := list[subnet](ctx, b.neutron, subnetKind, url.Values{"network_id": {n.ID}})
		if err != nil {
			return err
		}
		for _, s := range b.doc.Subnets {
			if s.NetworkID != n.ID {
				continue
			}
			if instead[s.ID] = inPlaceOf(s, there); instead[s.ID] == "" {
				b.call.NotKept(fmt.Sprintf("The network %q is used as it is: it lacks the subnet %q (%s). %s", n.Name, s.Name, s.CIDR, anew))
			}
		}
	}
	for _, r := range b.doc.Routers {
		if err := b.lackingRouter(ctx, r, instead); err != nil {
			return err
		}
	}
	return nil
}

// inPlaceOf gives the subnet that is the original, or has its addresses; or "".
func inPlaceOf(original subnet, there []subnet) string {
	if slices.ContainsFunc(there, func(s subnet) bool { return s.ID == original.ID }) {
		return original.ID
	}
	wanted, err := netip.ParsePrefix(original.CIDR)
	for _, s := range there {
		if prefix, bad := netip.ParsePrefix(s.CIDR); err == nil && bad == nil && prefix.Masked() == wanted.Masked() {
			return s.ID
		}
	}
	return ""
}

// lackingRouter tells what a router lacks of its interfaces on networks that are used as they are, and of its
// gateway if it is used itself.
func (b *builder) lackingRouter(ctx context.Context, r router, instead map[string]string) error {
	on := map[string]network{}
	for _, n := range b.reused {
		on[n.ID] = n
	}
	id := protection.First(b.ids[r.ID], r.ID)
	used := b.ids[r.ID] == r.ID
	if !used && !slices.ContainsFunc(r.Interfaces, func(i interfacePort) bool { return on[i.NetworkID].ID != "" }) {
		return nil
	}
	var now router
	err := b.neutron.show(ctx, routerKind, id, &now)
	gone := openstack.IsNotFound(err)
	if err != nil && !gone {
		return err
	}
	joined, err := list[port](ctx, b.neutron, portKind, url.Values{"device_id": {id}})
	if err != nil {
		return err
	}
	for _, i := range r.Interfaces {
		n := on[i.NetworkID]
		has := slices.ContainsFunc(joined, func(p port) bool {
			return p.DeviceID == id && p.NetworkID == n.ID && sameSubnets(inSubnets(i.FixedIPs, instead), p.FixedIPs)
		})
		switch {
		case n.ID == "" || has:
		case gone && !b.doc.Project: // that of a project is made anew
			b.call.NotKept(fmt.Sprintf("The network %q is used as it is: the router %q, which was joined to it, is not there. %s", n.Name, r.Name, anew))
		default:
			b.call.NotKept(fmt.Sprintf("The network %q is used as it is: the router %q has no interface on it as the original had. %s", n.Name, r.Name, anew))
		}
	}
	if !gone && id == r.ID && r.Gateway != nil && r.Gateway.NetworkID != "" && (now.Gateway == nil || now.Gateway.NetworkID == "") {
		b.call.NotKept(fmt.Sprintf("The router %q is used as it is: it has no gateway as the original had. %s", r.Name, anew))
	}
	return nil
}

// inSubnets gives fixed addresses in other subnets; those in none are left out.
func inSubnets(ips []fixedIP, instead map[string]string) []fixedIP {
	var out []fixedIP
	for _, ip := range ips {
		if id := instead[ip.SubnetID]; id != "" {
			out = append(out, fixedIP{SubnetID: id, IPAddress: ip.IPAddress})
		}
	}
	return out
}
