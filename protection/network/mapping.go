package network

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// mapped takes the network that was asked for in the place of an original, with the
// subnets that were. It reports whether there is one. The tenant's routers and ports of
// the original are not made on it: it is in order as it is.
func (b *builder) mapped(ctx context.Context, n network) (bool, error) {
	other := b.call.Instead(protection.MapNetworks, n.ID, n.Name)
	if other == "" {
		return false, nil
	}
	usable, err := b.usable(ctx, other)
	if err != nil {
		return false, err
	}
	if !usable {
		return false, karbor.Errorf(karbor.FailedDependency, "restore_networks: there is no network %s that you may use", other)
	}
	b.ids[n.ID] = other
	b.call.Mapped(fmt.Sprintf("The network %s takes the place of network %q (%s).", other, n.Name, n.ID))
	for _, s := range b.doc.Subnets {
		if s.NetworkID != n.ID {
			continue
		}
		if err := b.mappedSubnet(ctx, s, other); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (b *builder) mappedSubnet(ctx context.Context, s subnet, network string) error {
	other := b.call.Instead(protection.MapSubnets, s.ID, s.Name)
	if other == "" {
		return nil
	}
	var now subnet
	err := b.neutron.show(ctx, subnetKind, other, &now)
	if openstack.IsNotFound(err) || err == nil && now.NetworkID != network {
		return karbor.Errorf(karbor.FailedDependency, "restore_subnets: there is no subnet %s on network %s", other, network)
	}
	if err != nil {
		return err
	}
	b.ids[s.ID] = other
	b.call.Mapped(fmt.Sprintf("The subnet %s takes the place of subnet %q (%s).", other, s.Name, s.ID))
	return nil
}

// mappedExternal gives the external network that was asked for in the place of a
// router's, or "".
func (b *builder) mappedExternal(ctx context.Context, r router) (string, error) {
	other := b.call.Instead(protection.MapNetworks, r.Gateway.NetworkID, r.GatewayName)
	// What stands for all networks is rarely an external one.
	if other == "" || other == b.call.Instead(protection.MapNetworks) {
		return "", nil
	}
	var n network
	err := b.neutron.show(ctx, networkKind, other, &n)
	if openstack.IsNotFound(err) || err == nil && !n.External {
		return "", karbor.Errorf(karbor.FailedDependency, "restore_networks: there is no external network %s", other)
	}
	if err != nil {
		return "", err
	}
	b.call.Mapped(fmt.Sprintf("The router %q has its gateway in network %s in the place of %s.", r.Name, other, r.Gateway.NetworkID))
	return other, nil
}

// mappedGroup takes the security group that was asked for in the place of an original.
// It reports whether there is one.
func (b *builder) mappedGroup(ctx context.Context, g group) (bool, error) {
	other := b.call.Instead(protection.MapSecurityGroups, g.ID, g.Name)
	if other == "" {
		return false, nil
	}
	all, err := list[group](ctx, b.neutron, groupKind, nil)
	if err != nil {
		return false, err
	}
	mine := map[string]bool{}
	for _, now := range all {
		if now.ID == other {
			mine = map[string]bool{now.ID: true}
			break
		}
		if now.Name == other && now.ProjectID == b.call.Cloud.ProjectID() {
			mine[now.ID] = true
		}
	}
	if len(mine) > 1 {
		return false, karbor.Errorf(karbor.FailedDependency, "restore_security_groups: there are %d security groups %q: give the id of one", len(mine), other)
	}
	for id := range mine {
		b.ids[g.ID] = id
		b.call.Mapped(fmt.Sprintf("The security group %s takes the place of security group %q (%s).", id, g.Name, g.ID))
		return true, nil
	}
	return false, karbor.Errorf(karbor.FailedDependency, "restore_security_groups: there is no security group %q", other)
}
