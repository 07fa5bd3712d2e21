package network

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// undoRestore is the Undo hook of restore: it removes what this restore made, in
// the reverse order. While a server's port, say, is still in a network, the error
// is transient: the server's own Undo is on its way.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		if karbor.KindOf(err) == karbor.NotFound {
			return nil // nothing was made without it
		}
		return err
	}
	client, err := openstack.Network(ctx, call.Cloud)
	if err != nil {
		return err
	}
	w := &wrecker{neutron: neutron{client}, call: call, doc: doc}
	return call.InTurn(ctx, protection.NetworkingTurn, func(ctx context.Context) error {
		for _, step := range []func(context.Context) error{w.ports, w.routers, w.networks, w.groups, w.defaultRules} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// wrecker removes what a restore made.
type wrecker struct {
	neutron neutron
	call    *protection.Call
	doc     document
}

// all removes what was made for an original.
func (w *wrecker) all(ctx context.Context, k kind, original string, before func(id string) error) error {
	made, err := findMade(ctx, w.neutron, k, w.call, original)
	if err != nil {
		return err
	}
	for _, m := range made {
		if before != nil {
			if err := before(m.ID); err != nil {
				return err
			}
		}
		if err := w.neutron.remove(ctx, k, m.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *wrecker) ports(ctx context.Context) error {
	for _, p := range w.doc.Ports {
		if err := w.all(ctx, portKind, p.ID, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *wrecker) routers(ctx context.Context) error {
	everything := func(string) bool { return true }
	for _, r := range w.doc.Routers {
		err := w.all(ctx, routerKind, r.ID, func(id string) error {
			ports, err := list[port](ctx, w.neutron, portKind, url.Values{"device_id": {id}})
			if err != nil {
				return err
			}
			return release(ctx, w.neutron, id, ports, everything)
		})
		if err != nil {
			return err
		}
		// Ports that were made for an interface but did not become one yet.
		for _, i := range r.Interfaces {
			if len(i.FixedIPs) == 0 {
				continue
			}
			if err := w.all(ctx, portKind, shortID(r.ID, i.FixedIPs[0].SubnetID), w.leaveRouter(ctx)); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveRouter takes a port from the router that it is an interface of, which
// deletes it.
func (w *wrecker) leaveRouter(ctx context.Context) func(id string) error {
	return func(id string) error {
		var p port
		err := w.neutron.show(ctx, portKind, id, &p)
		if openstack.IsNotFound(err) || err == nil && p.DeviceID == "" {
			return nil
		}
		if err != nil {
			return err
		}
		return release(ctx, w.neutron, p.DeviceID, []port{p}, w.lost)
	}
}

// lost reports whether a next hop lies in one of the restored subnets.
func (w *wrecker) lost(hop string) bool {
	ip, err := netip.ParseAddr(hop)
	if err != nil {
		return false
	}
	for _, s := range w.doc.Subnets {
		if prefix, err := netip.ParsePrefix(s.CIDR); err == nil && prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// networks removes the networks; their subnets go with them.
func (w *wrecker) networks(ctx context.Context) error {
	for _, n := range w.doc.Networks {
		err := w.all(ctx, networkKind, n.ID, func(id string) error {
			ports, err := list[port](ctx, w.neutron, portKind, url.Values{"network_id": {id}})
			if err != nil {
				return err
			}
			for _, p := range ports {
				// A router of the tenant's own that was reused.
				if p.isRouterInterface() {
					if err := release(ctx, w.neutron, p.DeviceID, []port{p}, w.lost); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *wrecker) groups(ctx context.Context) error {
	// Groups may refer to each other: the rules go first.
	for _, g := range w.doc.SecurityGroups {
		made, err := findMade(ctx, w.neutron, groupKind, w.call, g.ID)
		if err != nil {
			return err
		}
		for _, m := range made {
			var now group
			err := w.neutron.show(ctx, groupKind, m.ID, &now)
			if openstack.IsNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			for _, r := range now.Rules {
				if r.RemoteGroupID == nil {
					continue
				}
				if err := w.neutron.remove(ctx, ruleKind, r.ID); err != nil {
					return err
				}
			}
		}
	}
	for _, g := range w.doc.SecurityGroups {
		if err := w.all(ctx, groupKind, g.ID, nil); err != nil {
			return err
		}
	}
	return nil
}

// defaultRules takes from the default group what was added to it.
func (w *wrecker) defaultRules(ctx context.Context) error {
	var record restoreRecord
	if err := w.call.Scratch.Load(ctx, &record); err != nil || record.DefaultRules == nil {
		return err
	}
	var now group
	err := w.neutron.show(ctx, groupKind, record.DefaultGroup, &now)
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, g := range w.doc.SecurityGroups {
		for _, r := range g.Rules {
			r.RemoteGroupID = nil // it is mapped to another id by now
			wanted[r.key()] = g.Name == defaultGroup || wanted[r.key()]
		}
	}
	for _, r := range now.Rules {
		id, remote := r.ID, r
		remote.RemoteGroupID = nil
		if record.DefaultRules[id] || !wanted[remote.key()] {
			continue
		}
		if err := w.neutron.remove(ctx, ruleKind, id); err != nil {
			return err
		}
	}
	return nil
}
