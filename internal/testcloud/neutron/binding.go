package neutron

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Want is what Nova asks for one interface of a server: a port, or a network
// with an address that may be empty.
type Want struct {
	Port, Network, FixedIP, Tag string
}

// Check gives the error that Nova should answer with when an interface is not
// to be had for the identity; it changes nothing.
func (n *Neutron) Check(who fabric.Identity, want Want) error {
	if want.Port == "" {
		network, err := n.networks.find(who, want.Network)
		if err != nil {
			return fabric.BadRequest("Network %s could not be found.", want.Network)
		}
		if network.External && !network.Shared && !who.Admin() {
			return fabric.Forbidden("It is not allowed to create an interface on external network %s", want.Network)
		}
		return nil
	}
	port, err := n.ports.find(who, want.Port)
	if err != nil {
		return fabric.BadRequest("Port id %s could not be found.", want.Port)
	}
	if port.DeviceID != "" {
		return fabric.Conflict("Port %s is still in use.", want.Port)
	}
	if len(port.FixedIPs) == 0 {
		return fabric.BadRequest("Port %s requires a FixedIP in order to be used.", want.Port)
	}
	return nil
}

// Connect gives a server an interface: it takes the port, or makes one. It
// tells whether it made it.
func (n *Neutron) Connect(who fabric.Identity, server, zone string, groups []string, want Want) (Port, bool, error) {
	var port Port
	err := n.fab.Atomic(func() error {
		if want.Port == "" {
			return n.makePort(who, server, zone, groups, want, &port)
		}
		var err error
		if port, err = n.ports.find(who, want.Port); err != nil {
			return err
		}
		if port.DeviceID != "" {
			return fabric.Typed(http.StatusConflict, "PortInUse", "Port %s is still in use.", want.Port)
		}
		n.bind(&port, server, zone)
		n.ports.keep(port)
		return nil
	})
	return port, want.Port == "", err
}

func (n *Neutron) makePort(who fabric.Identity, server, zone string, groups []string, want Want, port *Port) error {
	in := input{}
	set := func(name string, value any) error {
		encoded, err := json.Marshal(value)
		in[name] = encoded
		return err
	}
	err := errors.Join(set("network_id", want.Network), set("device_id", server), set("device_owner", "compute:"+zone))
	if want.FixedIP != "" {
		err = errors.Join(err, set("fixed_ips", []object{{"ip_address": want.FixedIP}}))
	}
	if len(groups) > 0 {
		err = errors.Join(err, set("security_groups", groups))
	}
	if err != nil {
		return err
	}
	made, err := n.ports.add(who, in)
	if err != nil {
		return err
	}
	n.bind(&made, server, zone)
	n.ports.docs.Put(made.ID, made)
	*port = made
	return nil
}

func (n *Neutron) bind(port *Port, server, zone string) {
	port.DeviceID, port.DeviceOwner, port.Status = server, "compute:"+zone, "ACTIVE"
	port.HostID, port.VIFType = "compute-1", "ovs"
}

// Disconnect frees a server's port, or removes it when Nova made it.
func (n *Neutron) Disconnect(portID string, remove bool) error {
	return n.fab.Atomic(func() error {
		port, ok := n.ports.docs.Get(portID)
		if !ok {
			return nil
		}
		if remove {
			n.releaseFloating(portID)
			n.ports.docs.Delete(portID)
			return nil
		}
		port.DeviceID, port.DeviceOwner, port.Status, port.HostID, port.VIFType = "", "", "DOWN", "", "unbound"
		n.ports.keep(port)
		return nil
	})
}

// Address is one of a server's addresses.
type Address struct {
	Network string // name
	MAC, IP string
	Version int // 4 or 6
	Type    string
}

// PortsOf gives a server's ports, oldest first.
func (n *Neutron) PortsOf(server string) []Port {
	return n.ports.docs.List(func(p Port) bool { return p.DeviceID == server && strings.HasPrefix(p.DeviceOwner, "compute:") })
}

// Addresses gives a server's addresses, with the floating ones that lead to
// them.
func (n *Neutron) Addresses(server string) []Address {
	var all []Address
	for _, p := range n.PortsOf(server) {
		network, _ := n.networks.docs.Get(p.NetworkID)
		for _, ip := range p.FixedIPs {
			version := 4
			if strings.Contains(ip.IPAddress, ":") {
				version = 6
			}
			all = append(all, Address{network.Name, p.MACAddress, ip.IPAddress, version, "fixed"})
			for _, f := range n.floating.docs.List(func(f FloatingIP) bool {
				return deref(f.PortID) == p.ID && deref(f.FixedIPAddress) == ip.IPAddress
			}) {
				all = append(all, Address{network.Name, p.MACAddress, f.FloatingIPAddress, 4, "floating"})
			}
		}
	}
	return all
}

// Groups gives the ids of security groups by name or id.
func (n *Neutron) Groups(who fabric.Identity, names []string) ([]string, error) {
	var found []string
	err := n.fab.Atomic(func() error {
		n.ensureDefaultGroup(who.ProjectID)
		for _, name := range names {
			groups := n.groups.docs.List(func(g SecurityGroup) bool {
				return g.ProjectID == who.ProjectID && (g.ID == name || g.Name == name)
			})
			if len(groups) == 0 {
				return fabric.BadRequest("Unable to find security_group with name or id '%s'", name)
			}
			if len(groups) > 1 {
				return fabric.Conflict("Multiple security_group matches found for name '%s', use an ID to be more specific.", name)
			}
			found = append(found, groups[0].ID)
		}
		return nil
	})
	return found, err
}

// GroupsOf gives the security groups of a server's ports, each once.
func (n *Neutron) GroupsOf(server string) []SecurityGroup {
	var groups []SecurityGroup
	var seen []string
	for _, p := range n.PortsOf(server) {
		for _, id := range p.SecurityGroups {
			if g, ok := n.groups.docs.Get(id); ok && !slices.Contains(seen, id) {
				groups, seen = append(groups, g), append(seen, id)
			}
		}
	}
	return groups
}

// SetGroup adds a security group to all of a server's ports, or takes it off.
func (n *Neutron) SetGroup(server, group string, on bool) error {
	return n.fab.Atomic(func() error {
		for _, p := range n.PortsOf(server) {
			p.SecurityGroups = slices.DeleteFunc(p.SecurityGroups, func(id string) bool { return id == group })
			if on {
				p.SecurityGroups = append(p.SecurityGroups, group)
			}
			n.ports.keep(p)
		}
		return nil
	})
}

// OwnNetworks gives the ids of the networks that a server of the project is
// put on when it names none: the project's own with a subnet, and shared ones.
func (n *Neutron) OwnNetworks(project string) []string {
	var found []string
	for _, network := range n.networks.docs.List(func(d Network) bool { return d.ProjectID == project && !d.External || d.Shared }) {
		if len(n.subnetsOf(network.ID)) > 0 {
			found = append(found, network.ID)
		}
	}
	return found
}

// IngressOf gives the rules of a security group that let something in.
func (n *Neutron) IngressOf(group string) []SecurityGroupRule {
	return slices.DeleteFunc(n.rulesOf(group), func(rule SecurityGroupRule) bool { return rule.Direction != "ingress" })
}

// GroupName gives the name of a security group, or nothing.
func (n *Neutron) GroupName(id string) string {
	group, _ := n.groups.docs.Get(id)
	return group.Name
}
