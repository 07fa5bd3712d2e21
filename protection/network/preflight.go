package network

import (
	"context"
	"fmt"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore: it finds what exists, and what would be
// made.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	client, err := openstack.Network(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	b := &builder{neutron: neutron{client}, call: call, doc: doc, ids: map[string]string{}, made: map[string]bool{}}
	f := protection.NewForecast(call)
	for _, part := range []struct {
		remedy string
		look   func(context.Context, *protection.Forecast) error
	}{
		{"Map the security group (security_groups) to one that is there.", b.foreseeGroups},
		{"Map the network (networks) or subnet (subnets) to one that you may use.", b.foreseeNetworks},
		{"Map the external network (networks).", b.foreseeRouters},
		{"Restore a copy (restore_name), or make anew what it lacks.", func(ctx context.Context, _ *protection.Forecast) error { return b.lacking(ctx) }},
	} {
		look := func(ctx context.Context) error { return part.look(ctx, f) }
		if err := f.Look(ctx, part.remedy, look); err != nil {
			return nil, err
		}
	}
	for _, p := range doc.Ports {
		if b.made[p.NetworkID] {
			f.NeedOnce(protection.NeedPorts, p.ID)
		}
	}
	return f, nil
}

func (b *builder) foreseeGroups(ctx context.Context, f *protection.Forecast) error {
	for _, g := range b.doc.SecurityGroups {
		mapped, err := b.mappedGroup(ctx, g)
		if err != nil {
			return err
		}
		var now group
		err = b.neutron.show(ctx, groupKind, g.ID, &now)
		if err != nil && !openstack.IsNotFound(err) {
			return err
		}
		if err != nil && !mapped && g.Name != defaultGroup {
			f.NeedOnce(protection.NeedSecurityGroups, g.ID)
		}
	}
	return nil
}

func (b *builder) foreseeNetworks(ctx context.Context, f *protection.Forecast) error {
	for _, n := range b.doc.Networks {
		mapped, err := b.mapped(ctx, n)
		if err != nil {
			return err
		}
		if mapped {
			continue
		}
		usable, err := b.usable(ctx, n.ID)
		if err != nil {
			return err
		}
		if usable && !b.copying() {
			b.reused = append(b.reused, n)
			continue
		}
		b.made[n.ID] = true
		f.NeedOnce(protection.NeedNetworks, n.ID)
		if n.External || n.Shared {
			f.Warn(fmt.Sprintf("The network %q will be your project's own: only an administrator can make an external or shared one.", n.Name))
		}
	}
	for _, s := range b.doc.Subnets {
		if b.made[s.NetworkID] {
			f.NeedOnce(protection.NeedSubnets, s.ID)
		}
	}
	return nil
}

func (b *builder) foreseeRouters(ctx context.Context, f *protection.Forecast) error {
	for _, r := range b.doc.Routers {
		if !b.needs(r) {
			continue
		}
		var now router
		err := b.neutron.show(ctx, routerKind, r.ID, &now)
		if err == nil && !b.copying() {
			b.ids[r.ID] = r.ID
			continue
		}
		if err != nil && !openstack.IsNotFound(err) {
			return err
		}
		f.NeedOnce(protection.NeedRouters, r.ID)
		for _, i := range r.Interfaces {
			if b.made[i.NetworkID] {
				f.NeedOnce(protection.NeedPorts, r.ID+" "+i.NetworkID)
			}
		}
		if r.Gateway == nil || r.Gateway.NetworkID == "" {
			continue
		}
		external, lack, err := b.external(ctx, r)
		if err != nil {
			return err
		}
		if external == "" {
			f.Warn(fmt.Sprintf("The router %q will have no gateway: %s.", r.Name, lack))
		}
	}
	return nil
}
