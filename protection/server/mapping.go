package server

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// renew is the value of a parameter that asks for something new.
const renew = "renew"

// mappedFlavor gives the flavor that was asked for by its id or name.
func (b *builder) mappedFlavor(ctx context.Context, wanted string) (string, error) {
	found, err := showFlavor(ctx, b.compute, wanted)
	if openstack.IsNotFound(err) {
		var all []flavorView
		if err := b.compute.get(ctx, "flavors/detail", nil, "flavors", &all); err != nil {
			return "", openstack.Explain(err, "listing the flavors")
		}
		for _, v := range all {
			if v.Name == wanted {
				found, err = v.flavor(), nil
			}
		}
	}
	if openstack.IsNotFound(err) {
		return "", karbor.Errorf(karbor.FailedDependency, "restore_flavors: there is no flavor %q", wanted)
	}
	if err != nil {
		return "", err
	}
	b.call.Mapped(fmt.Sprintf("The server has the flavor %q in the place of %q.", found.Name, protection.First(b.doc.Flavor.Name, b.doc.Flavor.ID)))
	return found.ID, nil
}

// mappedKeypair makes sure that the user has the keypair that was asked for.
func (b *builder) mappedKeypair(ctx context.Context, wanted string) error {
	err := b.compute.get(ctx, "os-keypairs/"+url.PathEscape(wanted), nil, "", &struct{}{})
	if openstack.IsNotFound(err) {
		return karbor.Errorf(karbor.FailedDependency, "restore_keypairs: you have no keypair %q", wanted)
	}
	if err == nil {
		b.call.Mapped(fmt.Sprintf("The server has the keypair %q in the place of %q.", wanted, b.doc.KeyName))
	}
	return openstack.Explain(err, "reading keypair %q", wanted)
}

// mappedGroup gives the security group that was asked for by its id or name.
func (b *builder) mappedGroup(ctx context.Context, original, wanted string) (string, error) {
	there, err := securityGroups(ctx, b.network)
	if err != nil {
		return "", err
	}
	named := namesakes(there, wanted, b.call.Cloud.ProjectID())
	if slices.ContainsFunc(there, func(g securityGroup) bool { return g.ID == wanted }) {
		named = []string{wanted}
	}
	switch len(named) {
	case 1:
		b.call.Mapped(fmt.Sprintf("The security group %s takes the place of %s.", named[0], original))
		return named[0], nil
	case 0:
		return "", karbor.Errorf(karbor.FailedDependency, "restore_security_groups: there is no security group %q", wanted)
	default:
		return "", karbor.Errorf(karbor.FailedDependency, "restore_security_groups: there are %d security groups %q: give the id of one", len(named), wanted)
	}
}

// renewed gives the members of a port that were asked for anew, and tells so.
func (b *builder) renewed(p port) map[string]bool {
	out := map[string]bool{}
	if out[addressMember] = b.call.Text("restore_addresses") == renew; out[addressMember] {
		for _, ip := range p.FixedIPs {
			b.call.Mapped(fmt.Sprintf("The server has a new address in the place of %s.", ip.IPAddress))
		}
	}
	if out[macMember] = b.call.Text("restore_hardware_addresses") == renew; out[macMember] {
		b.call.Mapped(fmt.Sprintf("The server's interface has a new hardware address in the place of %s.", p.MACAddress))
	}
	return out
}

// subnetView is what Neutron shows of a subnet.
type subnetView struct {
	ID        string `json:"id"`
	NetworkID string `json:"network_id"`
	CIDR      string `json:"cidr"`
}

// holds reports whether an address is in the subnet's range.
func (s subnetView) holds(address string) bool {
	prefix, err := netip.ParsePrefix(s.CIDR)
	ip, bad := netip.ParseAddr(address)
	return err == nil && bad == nil && prefix.Contains(ip)
}

// fixedIPs gives the port's addresses in the subnets that take the originals'
// places: those that were asked for, the restored or original ones, or, on a network that
// was asked for, those with the addresses in their ranges.
func (b *builder) fixedIPs(ctx context.Context, p port, network string) ([]fixedIP, error) {
	subnets, err := all[subnetView](ctx, b.network, "subnets", url.Values{"network_id": {network}})
	if err != nil {
		return nil, openstack.Explain(err, "listing the subnets of network %s", network)
	}
	var ips []fixedIP
	for _, ip := range p.FixedIPs {
		found, err := b.subnet(p, ip, network, subnets)
		if err != nil {
			return nil, err
		}
		if found.ID == "" {
			continue
		}
		if found.CIDR != "" && !found.holds(ip.IPAddress) {
			b.call.NotKept(fmt.Sprintf("The address %s of the server: it is not in the range of subnet %s.", ip.IPAddress, found.ID))
			ip.IPAddress = ""
		}
		ips = append(ips, fixedIP{SubnetID: found.ID, IPAddress: ip.IPAddress})
	}
	if len(ips) == 0 && b.call.Text("restore_addresses") != renew {
		for _, ip := range p.FixedIPs {
			b.call.NotKept(fmt.Sprintf("The address %s of the server: its subnet is not there.", ip.IPAddress))
		}
	}
	return ips, nil
}

// subnet gives the subnet for one address; the zero one leaves it to Neutron.
func (b *builder) subnet(p port, ip fixedIP, network string, subnets []subnetView) (subnetView, error) {
	other := b.call.Instead(protection.MapSubnets, ip.SubnetID)
	wanted := protection.First(other, b.call.NewResources.Part(ip.SubnetID), ip.SubnetID)
	for _, s := range subnets {
		if s.ID == wanted && s.NetworkID == network {
			if other != "" {
				b.call.Mapped(fmt.Sprintf("The server is in subnet %s in the place of subnet %s.", s.ID, ip.SubnetID))
			}
			return s, nil
		}
	}
	if other != "" {
		return subnetView{}, karbor.Errorf(karbor.FailedDependency, "restore_subnets: there is no subnet %s on network %s", other, network)
	}
	if b.call.Text("restore_net_id") != "" || b.call.Instead(protection.MapNetworks, p.NetworkID) == "" {
		return subnetView{}, nil
	}
	for _, s := range subnets {
		if s.NetworkID == network && s.holds(ip.IPAddress) {
			return s, nil
		}
	}
	return subnetView{}, nil
}
