package network

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// isQuota reports whether a client's error says that a quota is used up.
func isQuota(err error) bool {
	return karbor.KindOf(openstack.Explain(err, "asking the cloud")) == karbor.OverLimit
}

// routers reuses or makes the routers that a new network needs. A project's
// routers are all needed.
func (b *builder) routers(ctx context.Context) error {
	for _, r := range b.doc.Routers {
		if !b.needs(r) {
			continue
		}
		if !b.copying() {
			var now router
			err := b.neutron.show(ctx, routerKind, r.ID, &now)
			if err == nil {
				b.ids[r.ID] = r.ID
				continue
			}
			if !openstack.IsNotFound(err) {
				return err
			}
		}
		body := map[string]any{"name": r.Name, "admin_state_up": r.AdminStateUp}
		id, err := b.ensure(ctx, routerKind, r.common, body)
		if err != nil {
			return err
		}
		if err := b.gateway(ctx, r, id); err != nil {
			return err
		}
	}
	return nil
}

// needs reports whether a router is wanted: one of a project that is restored as
// a whole, or one with an interface on a network that is new.
func (b *builder) needs(r router) bool {
	return b.doc.Project || slices.ContainsFunc(r.Interfaces, func(i interfacePort) bool { return b.made[i.NetworkID] })
}

// gateway joins a new router to the external network.
func (b *builder) gateway(ctx context.Context, r router, id string) error {
	if r.Gateway == nil || r.Gateway.NetworkID == "" {
		return nil
	}
	var now router
	if err := b.neutron.show(ctx, routerKind, id, &now); err != nil {
		return err
	}
	if now.Gateway != nil && now.Gateway.NetworkID != "" {
		return nil
	}
	external, lack, err := b.external(ctx, r)
	if err != nil {
		return err
	}
	if external == "" {
		b.call.NotKept(fmt.Sprintf("The router %q has no gateway: %s. Set one, or map the external network (networks) when you restore.", r.Name, lack))
		return nil
	}
	info := map[string]any{"network_id": external}
	if r.Gateway.EnableSNAT != nil && !*r.Gateway.EnableSNAT {
		info["enable_snat"] = false
	}
	err = b.neutron.update(ctx, routerKind, id, map[string]any{"external_gateway_info": info})
	if explained := openstack.Explain(err, "setting the gateway of router %s", id); err != nil {
		if karbor.KindOf(explained) != karbor.Forbidden || info["enable_snat"] == nil {
			return explained
		}
		b.call.NotKept(fmt.Sprintf("The router %q translates addresses at its gateway: only an administrator can turn that off.", r.Name))
		err = b.neutron.update(ctx, routerKind, id, map[string]any{"external_gateway_info": map[string]any{"network_id": external}})
	}
	if err == nil && len(r.Gateway.FixedIPs) > 0 {
		b.call.NotKept(fmt.Sprintf("The router %q may have another external address than before.", r.Name))
	}
	return openstack.Explain(err, "setting the gateway of router %s", id)
}

// external gives the external network for a router: the original's, or the only one
// that has its name here; or "", and why there is none.
func (b *builder) external(ctx context.Context, r router) (id, lack string, err error) {
	if other, err := b.mappedExternal(ctx, r); err != nil || other != "" {
		return other, "", err
	}
	var n network
	err = b.neutron.show(ctx, networkKind, r.Gateway.NetworkID, &n)
	if err == nil && n.External {
		return n.ID, "", nil
	}
	if err != nil && !openstack.IsNotFound(err) {
		return "", "", err
	}
	found, err := list[network](ctx, b.neutron, networkKind, url.Values{"router:external": {"true"}})
	if err != nil {
		return "", "", err
	}
	named := map[string]bool{}
	for _, f := range found {
		if f.External && f.Name == r.GatewayName && f.Name != "" {
			id, named[f.ID] = f.ID, true
		}
	}
	switch len(named) {
	case 0:
		return "", fmt.Sprintf("there is no external network %q", r.GatewayName), nil
	case 1:
		return id, "", nil
	default:
		// The addresses of one lead elsewhere than those of another.
		return "", fmt.Sprintf("there are %d external networks %q", len(named), r.GatewayName), nil
	}
}

// interfaces joins the new subnets to the routers.
func (b *builder) interfaces(ctx context.Context) error {
	for _, r := range b.doc.Routers {
		id := b.ids[r.ID]
		if id == "" {
			continue
		}
		joined, err := list[port](ctx, b.neutron, portKind, url.Values{"device_id": {id}})
		if err != nil {
			return err
		}
		for _, i := range r.Interfaces {
			if !b.made[i.NetworkID] || slices.ContainsFunc(joined, func(p port) bool {
				return p.DeviceID == id && p.NetworkID == b.ids[i.NetworkID] && sameSubnets(b.mapIPs(i.FixedIPs), p.FixedIPs)
			}) {
				continue
			}
			if err := b.join(ctx, r, id, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameSubnets(a, b []fixedIP) bool {
	return slices.ContainsFunc(a, func(x fixedIP) bool {
		return slices.ContainsFunc(b, func(y fixedIP) bool { return x.SubnetID == y.SubnetID })
	})
}

// mapIPs gives fixed addresses in the subnets that take the originals' places.
func (b *builder) mapIPs(ips []fixedIP) []fixedIP {
	out := make([]fixedIP, 0, len(ips))
	for _, ip := range ips {
		if id := b.ids[ip.SubnetID]; id != "" {
			out = append(out, fixedIP{SubnetID: id, IPAddress: ip.IPAddress})
		}
	}
	return out
}

// join adds one interface: through the subnet where the address is its gateway's,
// through a port with the address elsewhere.
func (b *builder) join(ctx context.Context, r router, id string, i interfacePort) error {
	ips := b.mapIPs(i.FixedIPs)
	if len(ips) == 0 {
		return nil
	}
	body := map[string]any{"subnet_id": ips[0].SubnetID}
	if len(ips) > 1 || !b.isGateway(i.FixedIPs[0]) {
		// Two ids are too long for the tags; one that stands for both is not.
		p := common{ID: shortID(r.ID, i.FixedIPs[0].SubnetID)}
		portID, err := b.make(ctx, portKind, p, map[string]any{"network_id": b.ids[i.NetworkID], "fixed_ips": ips})
		if err != nil {
			return err
		}
		// Once it is an interface nobody comes back to it, and it goes with its router.
		if err := b.describe(ctx, portKind, portID, p); err != nil {
			return err
		}
		body = map[string]any{"port_id": portID}
	}
	err := b.neutron.act(ctx, id, "add_router_interface", body)
	if gophercloud.ResponseCodeIs(err, 400) || gophercloud.ResponseCodeIs(err, 409) {
		explained := openstack.Explain(err, "joining subnet %s to router %s", ips[0].SubnetID, id)
		if strings.Contains(explained.Error(), "already has a port on subnet") {
			return nil
		}
		if strings.Contains(strings.ToLower(explained.Error()), "overlap") {
			b.call.NotKept(fmt.Sprintf("The router %q is not joined to the restored subnet %s: it overlaps with one that it is joined to.", r.Name, ips[0].SubnetID))
			return nil
		}
		return explained
	}
	return openstack.Explain(err, "joining subnet %s to router %s", ips[0].SubnetID, id)
}

// isGateway reports whether an address is its subnet's gateway.
func (b *builder) isGateway(ip fixedIP) bool {
	return slices.ContainsFunc(b.doc.Subnets, func(s subnet) bool {
		return s.ID == ip.SubnetID && s.GatewayIP != nil && *s.GatewayIP == ip.IPAddress
	})
}

// shortID makes one id of 36 bytes of two.
func shortID(first, second string) string {
	cut := func(s string) string { return s[:min(len(s), 18)] }
	return cut(first) + cut(second)
}

// routes gives the routers their static routes, once the interfaces are there
// that lead to the next hops.
func (b *builder) routes(ctx context.Context) error {
	for _, r := range b.doc.Routers {
		id := b.ids[r.ID]
		if id == "" || len(r.Routes) == 0 {
			continue
		}
		var now router
		if err := b.neutron.show(ctx, routerKind, id, &now); err != nil {
			return err
		}
		all := slices.Clone(now.Routes)
		for _, route := range r.Routes {
			if !slices.Contains(all, route) && (b.made[r.ID] || b.reaches(route.NextHop)) {
				all = append(all, route)
			}
		}
		if len(all) == len(now.Routes) {
			continue
		}
		err := b.neutron.update(ctx, routerKind, id, map[string]any{"routes": all})
		explained := openstack.Explain(err, "setting the routes of router %s", id)
		if err == nil || !refused(explained) {
			if err != nil {
				return explained
			}
			continue
		}
		// In a plan of several networks the others' interfaces may not be
		// there yet; whoever comes last sets all.
		if b.doc.Project || !b.made[r.ID] {
			b.call.NotKept(fmt.Sprintf("The router %q does not have all of its static routes: the cloud refused them.", r.Name))
			continue
		}
		if err := b.someRoutes(ctx, r, id, now.Routes); err != nil {
			return err
		}
	}
	return nil
}

// someRoutes sets those routes one by one that the router can have now.
func (b *builder) someRoutes(ctx context.Context, r router, id string, have []hostRoute) error {
	for _, route := range r.Routes {
		if slices.Contains(have, route) {
			continue
		}
		err := b.neutron.update(ctx, routerKind, id, map[string]any{"routes": append(slices.Clone(have), route)})
		if err == nil {
			have = append(have, route)
			continue
		}
		if explained := openstack.Explain(err, "setting the routes of router %s", id); !refused(explained) {
			return explained
		}
		b.call.NotKept(fmt.Sprintf("The router %q did not get its route to %s when this network was restored.", r.Name, route.Destination))
	}
	return nil
}

// reaches reports whether an address lies in a subnet that is new.
func (b *builder) reaches(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(b.doc.Subnets, func(s subnet) bool {
		prefix, err := netip.ParsePrefix(s.CIDR)
		return err == nil && b.made[s.ID] && prefix.Contains(ip)
	})
}
