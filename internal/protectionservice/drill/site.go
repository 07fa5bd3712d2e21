package drill

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
	"github.com/karbor/karbor/protection"
)

// metadataAddress is where a guest asks for its metadata.
const metadataAddress = "169.254.169.254/32"

// openPorts is the part that tells, once the networks of a drill are made, that something that it
// restores will have a port without port security.
const openPorts = "open ports"

// Isolate makes the networks of a drill, as the hook of its own node: for each network that
// something would be joined to a new one, with subnets like the original's, no router, and a
// security group that lets nobody in or out but the drill's own servers, and the metadata
// service. They are given as the new ones of the originals.
func Isolate(ctx context.Context, call *protection.Call, networks []protection.DrillNetwork) error {
	if len(networks) == 0 {
		return call.NewResources.Set(ctx, call.OperationID)
	}
	n, err := newNeutron(ctx, call.Cloud)
	if err != nil {
		return err
	}
	s := site{neutron: n, call: call}
	group, err := s.group(ctx)
	if err != nil {
		return err
	}
	for _, network := range merge(networks) {
		if network.Open {
			if err := call.NewResources.SetPart(ctx, openPorts, "yes"); err != nil {
				return err
			}
		}
		if err := s.network(ctx, network); err != nil {
			return err
		}
		for _, g := range network.Groups {
			if err := call.NewResources.SetPart(ctx, g, group); err != nil {
				return err
			}
		}
	}
	return call.NewResources.Set(ctx, call.OperationID)
}

// merge puts together what several resources say of the same networks.
func merge(networks []protection.DrillNetwork) []protection.DrillNetwork {
	byID := map[string]*protection.DrillNetwork{}
	for _, n := range networks {
		have := byID[n.ID]
		if have == nil {
			have = &protection.DrillNetwork{ID: n.ID}
			byID[n.ID] = have
		}
		have.Name, have.Open = protection.First(have.Name, n.Name), have.Open || n.Open
		for _, g := range n.Groups {
			if !slices.Contains(have.Groups, g) {
				have.Groups = append(have.Groups, g)
			}
		}
		for _, s := range n.Subnets {
			i := slices.IndexFunc(have.Subnets, func(o protection.DrillSubnet) bool { return o.ID == s.ID })
			if i < 0 {
				have.Subnets = append(have.Subnets, s)
				continue
			}
			own := &have.Subnets[i]
			own.CIDR, own.Gateway = protection.First(own.CIDR, s.CIDR), protection.First(own.Gateway, s.Gateway)
			own.NoDHCP = own.NoDHCP || s.NoDHCP
			own.Addresses = append(own.Addresses, s.Addresses...)
		}
	}
	out := make([]protection.DrillNetwork, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		out = append(out, *byID[id])
	}
	return out
}

// siteOf gives the key of the node whose undo is Remove; "" where a call's graph has none.
func siteOf(call *protection.Call) karbor.NodeKey {
	if call.Graph == nil {
		return ""
	}
	for _, n := range call.Graph.Nodes() {
		if IsSite(n) {
			return n.Key()
		}
	}
	return ""
}

// site makes networks.
type site struct {
	neutron neutron
	call    *protection.Call
}

// ensure gives what has a mark of the drill, and makes it if there is nothing yet. It goes as the
// drill's networks do, whatever node it is made for.
func (s site) ensure(ctx context.Context, kind, one, key string, body map[string]any) (string, error) {
	description := Mark(s.call, key)
	h := protection.Holding{Kind: protection.HoldingKind(one), Node: siteOf(s.call)}
	find := func(ctx context.Context) (string, error) { return s.neutron.find(ctx, kind, description) }
	return openstack.MakeRestored(ctx, s.call, h, "drill's "+key, find, func(ctx context.Context) (string, error) {
		body["description"] = description
		var made thing
		err := s.neutron.create(ctx, kind, one, body, &made)
		return made.ID, openstack.Explain(err, "creating the drill's %s", key)
	})
}

// network makes a network with its subnets.
func (s site) network(ctx context.Context, n protection.DrillNetwork) error {
	body := map[string]any{"name": Name(s.call.OperationID) + "-" + protection.First(n.Name, n.ID)}
	id, err := s.ensure(ctx, "networks", "network", "network for "+n.ID, body)
	if err != nil {
		return err
	}
	for _, subnet := range n.Subnets {
		if subnet.ID == "" {
			continue
		}
		made, err := s.subnet(ctx, id, subnet)
		if err != nil {
			return err
		}
		if err := s.call.NewResources.SetPart(ctx, subnet.ID, made); err != nil {
			return err
		}
	}
	return s.call.NewResources.SetPart(ctx, n.ID, id)
}

// subnet makes a subnet like an original: as the checkpoint knows it, or as it is now, or, if it
// is known nowhere, such that the addresses on it fit.
func (s site) subnet(ctx context.Context, network string, subnet protection.DrillSubnet) (string, error) {
	if subnet.CIDR == "" {
		var now struct {
			CIDR    string  `json:"cidr"`
			Gateway *string `json:"gateway_ip"`
			DHCP    *bool   `json:"enable_dhcp"`
		}
		err := networking.Show(ctx, s.neutron.client, "subnets", subnet.ID, &now)
		switch {
		case err == nil:
			subnet.CIDR, subnet.NoDHCP = now.CIDR, now.DHCP != nil && !*now.DHCP
			if now.Gateway != nil {
				subnet.Gateway = *now.Gateway
			}
		case openstack.IsNotFound(err):
			subnet.CIDR = around(subnet.Addresses)
		default:
			return "", openstack.Explain(err, "reading subnet %s", subnet.ID)
		}
	}
	prefix, err := netip.ParsePrefix(subnet.CIDR)
	if err != nil {
		return "", karbor.Errorf(karbor.FailedDependency, "nothing is known of the range of subnet %s", subnet.ID)
	}
	version := 6
	if prefix.Addr().Is4() {
		version = 4
	}
	body := map[string]any{
		"name": Name(s.call.OperationID) + "-" + subnet.ID, "network_id": network, "cidr": prefix.Masked().String(),
		"ip_version": version, "enable_dhcp": !subnet.NoDHCP,
	}
	if subnet.Gateway != "" {
		body["gateway_ip"] = subnet.Gateway
	}
	return s.ensure(ctx, "subnets", "subnet", "subnet for "+subnet.ID, body)
}

// around gives a range that addresses fit into, or "".
func around(addresses []string) string {
	for _, a := range addresses {
		ip, err := netip.ParseAddr(a)
		if err != nil {
			continue
		}
		bits := 64
		if ip.Is4() {
			bits = 24
		}
		if prefix, err := ip.Prefix(bits); err == nil {
			return prefix.String()
		}
	}
	return ""
}

// rule is a rule of the drill's security group.
type rule struct {
	ID        string  `json:"id,omitempty"`
	Group     string  `json:"security_group_id"`
	Direction string  `json:"direction"`
	EtherType string  `json:"ethertype"`
	Protocol  *string `json:"protocol"`
	Min       *int    `json:"port_range_min"`
	Max       *int    `json:"port_range_max"`
	Prefix    *string `json:"remote_ip_prefix"`
	Remote    *string `json:"remote_group_id"`
}

// key tells rules apart.
func (r rule) key() string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	low := 0
	if r.Min != nil {
		low = *r.Min
	}
	return fmt.Sprint(r.Direction, "|", r.EtherType, "|", text(r.Protocol), "|", low, "|", text(r.Prefix), "|", text(r.Remote))
}

// group makes the security group that all ports of the drill are in.
func (s site) group(ctx context.Context) (string, error) {
	id, err := s.ensure(ctx, "security-groups", "security_group", "security group", map[string]any{"name": Name(s.call.OperationID)})
	if err != nil {
		return "", err
	}
	tcp, web, metadata := "tcp", 80, metadataAddress
	wanted := []rule{{Group: id, Direction: "egress", EtherType: "IPv4", Protocol: &tcp, Min: &web, Max: &web, Prefix: &metadata}}
	for _, direction := range []string{"ingress", "egress"} {
		for _, ether := range []string{"IPv4", "IPv6"} {
			wanted = append(wanted, rule{Group: id, Direction: direction, EtherType: ether, Remote: &id})
		}
	}
	now, err := list[rule](ctx, s.neutron, "security-group-rules", url.Values{"security_group_id": {id}})
	if err != nil {
		return "", err
	}
	spare := map[string]string{}
	for _, r := range now {
		spare[r.key()] = r.ID
	}
	for _, r := range wanted {
		if _, there := spare[r.key()]; there {
			delete(spare, r.key())
			continue
		}
		if err := s.rule(ctx, r); err != nil {
			return "", err
		}
	}
	// Neutron lets a new group out to everywhere.
	for _, r := range spare {
		if err := s.neutron.remove(ctx, "security-group-rules", r); err != nil {
			return "", err
		}
	}
	return id, nil
}

func (s site) rule(ctx context.Context, r rule) error {
	body := map[string]any{
		"security_group_id": r.Group, "direction": r.Direction, "ethertype": r.EtherType, "protocol": r.Protocol,
		"port_range_min": r.Min, "port_range_max": r.Max, "remote_ip_prefix": r.Prefix, "remote_group_id": r.Remote,
	}
	err := s.neutron.create(ctx, "security-group-rules", "security_group_rule", body, &thing{})
	explained := openstack.Explain(err, "creating a rule of the drill's security group")
	if statusConflict(err) && karbor.KindOf(explained) != karbor.OverLimit {
		return nil // it is there
	}
	return explained
}
