package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// floatingIPs gives the server its floating addresses back: the original ones if
// they are free, else others of the same external network.
func (b *builder) floatingIPs(ctx context.Context) error {
	wanted := b.call.Text("restore_floating_ips")
	for _, f := range b.doc.FloatingIPs {
		if wanted == "none" {
			b.call.Mapped(fmt.Sprintf("The server does not have the floating address %s: none was asked for.", f.Address))
			continue
		}
		portID := ""
		if f.PortID != nil {
			portID = b.portIDs[*f.PortID]
		}
		if portID == "" {
			continue
		}
		if wanted != "renew" {
			done, err := b.reuse(ctx, f, portID)
			if err != nil {
				return err
			}
			if done {
				continue
			}
		}
		if err := b.allocate(ctx, f, portID); err != nil {
			return err
		}
	}
	return nil
}

// reuse associates the original address if it is still the tenant's and free.
func (b *builder) reuse(ctx context.Context, f floatingIP, portID string) (bool, error) {
	var now floatingIP
	err := b.network.get(ctx, "floatingips/"+f.ID, nil, "floatingip", &now)
	if openstack.IsNotFound(err) {
		return b.reuseAddress(ctx, f, portID)
	}
	if err != nil {
		return false, openstack.Explain(err, "reading floating address %s", f.Address)
	}
	if now.PortID != nil && *now.PortID == portID {
		return true, nil
	}
	if now.PortID != nil && *now.PortID != "" {
		return false, nil // something else has it by now
	}
	return b.associate(ctx, f.ID, f, portID)
}

// reuseAddress associates the original address if the tenant has it under another id:
// he has got it anew, or the id was not kept.
func (b *builder) reuseAddress(ctx context.Context, f floatingIP, portID string) (bool, error) {
	query := url.Values{"floating_ip_address": {f.Address}, "project_id": {b.call.Cloud.ProjectID()}}
	found, err := all[floatingIP](ctx, b.network, "floatingips", query)
	if err != nil {
		return false, openstack.Explain(err, "looking for floating address %s", f.Address)
	}
	for _, now := range found {
		ours := slices.Contains(marks(b.call, f.ID), now.Description) || slices.Contains(now.Tags, ownTags(b.call.Owner, f.ID)[0])
		switch {
		case now.Address != f.Address || ours: // what an earlier run allocated is not finished
		case now.PortID != nil && *now.PortID == portID:
			return true, nil
		case now.PortID == nil || *now.PortID == "":
			return b.associate(ctx, now.ID, f, portID)
		}
	}
	return false, nil
}

// associate joins a floating address to a port. It reports whether that is
// settled: where the port's network has no way to the outside it can't be done.
func (b *builder) associate(ctx context.Context, id string, f floatingIP, portID string) (bool, error) {
	err := b.network.put(ctx, "floatingips/"+id, map[string]any{"floatingip": map[string]any{"port_id": portID}})
	if openstack.IsNotFound(err) || gophercloud.ResponseCodeIs(err, http.StatusBadRequest) {
		b.call.NotKept(fmt.Sprintf("The floating address %s is not associated: the server's network has no router to its external network.", f.Address))
		return true, nil
	}
	return err == nil, openstack.Explain(err, "associating floating address %s with port %s", f.Address, portID)
}

// allocate makes a new floating address, the same as the original's where the
// operator allows it, and associates it.
func (b *builder) allocate(ctx context.Context, f floatingIP, portID string) error {
	find := func(ctx context.Context) (string, error) {
		made, err := findMade(ctx, b.network, "floatingips", b.call, f.ID)
		if err != nil || len(made) == 0 {
			return "", err
		}
		return made[0].ID, nil
	}
	id, err := openstack.MakeRestored(ctx, b.call, protection.Holding{Kind: protection.HeldFloatingIP}, "floating address for "+f.Address, find, func(ctx context.Context) (string, error) {
		return b.makeAddress(ctx, f)
	})
	if err != nil || id == "" {
		return err
	}
	if err := b.tag(ctx, "floatingips", id, f.ID, f.Tags); err != nil {
		return err
	}
	var now floatingIP
	if err := b.network.get(ctx, "floatingips/"+id, nil, "floatingip", &now); err != nil {
		return openstack.Explain(err, "reading floating address %s", id)
	}
	switch {
	case now.Address != f.Address && b.call.Text("restore_floating_ips") == "renew":
		b.call.Mapped(fmt.Sprintf("The server has the floating address %s in the place of %s.", now.Address, f.Address))
	case now.Address != f.Address:
		b.call.NotKept(fmt.Sprintf("The floating address %s: the server has %s.", f.Address, now.Address))
	}
	if now.PortID == nil || *now.PortID != portID {
		if _, err := b.associate(ctx, id, f, portID); err != nil {
			return err
		}
	}
	return b.describe(ctx, "floatingips", "floatingip", id, f.ID, f.Description)
}

// makeAddress allocates a floating address, and gives its id, or "" if there is no
// external network for it.
func (b *builder) makeAddress(ctx context.Context, f floatingIP) (string, error) {
	network, lack, err := b.external(ctx, f)
	if err != nil {
		return "", err
	}
	if network == "" {
		b.call.NotKept(fmt.Sprintf("The floating address %s: %s. Give the server one, or map the external network (networks) when you restore.", f.Address, lack))
		return "", nil
	}
	request := map[string]any{
		"floating_network_id": network, "description": marks(b.call, f.ID)[0], "project_id": b.call.Cloud.ProjectID(),
	}
	var made labelled
	// Only an administrator may choose an address.
	if b.call.Service != nil && b.call.Text("restore_floating_ips") != "renew" {
		client, err := openstack.Network(ctx, b.call.Service)
		if err != nil {
			return "", err
		}
		request["floating_ip_address"] = f.Address
		err = api{client}.post(ctx, "floatingips", map[string]any{"floatingip": request}, "floatingip", &made)
		if err == nil {
			return made.ID, nil
		}
		if explained := openstack.Explain(err, "allocating floating address %s", f.Address); karbor.KindOf(explained) == karbor.Unavailable {
			return "", explained
		}
		delete(request, "floating_ip_address")
	}
	err = b.network.post(ctx, "floatingips", map[string]any{"floatingip": request}, "floatingip", &made)
	return made.ID, openstack.Explain(err, "allocating a floating address for server %s", b.call.Node.ID)
}

// external gives the external network of an address: the original's, or the only one
// that has its name here; or "", and why there is none.
func (b *builder) external(ctx context.Context, f floatingIP) (id, lack string, err error) {
	type network struct {
		ID, Name string
		External bool `json:"router:external"`
	}
	there, err := all[network](ctx, b.network, "networks", url.Values{"router:external": {"true"}})
	if err != nil {
		return "", "", openstack.Explain(err, "listing the external networks")
	}
	other := b.call.Instead(protection.MapNetworks, f.NetworkID, f.NetworkName)
	if other == b.call.Instead(protection.MapNetworks) {
		other = "" // what stands for all networks is rarely an external one
	}
	wanted := protection.First(other, f.NetworkID)
	if slices.ContainsFunc(there, func(n network) bool { return n.ID == wanted && n.External }) {
		return wanted, "", nil
	}
	if other != "" {
		return "", fmt.Sprintf("there is no external network %s", other), nil
	}
	named := slices.DeleteFunc(there, func(n network) bool { return !n.External || n.Name != f.NetworkName || n.Name == "" })
	switch len(named) {
	case 0:
		return "", fmt.Sprintf("there is no external network %q", f.NetworkName), nil
	case 1:
		return named[0].ID, "", nil
	default:
		// The addresses of one lead elsewhere than those of another.
		return "", fmt.Sprintf("there are %d external networks %q", len(named), f.NetworkName), nil
	}
}
