package network

import (
	"fmt"
	"slices"
)

// reference is what a part of a topology says of another.
type reference struct {
	from, to string // the parts, in words and with their ids
	kind     kind
	id       string
	// on is the network that a subnet must be of; "" for all others.
	on string
}

// references gives all that the parts of a document refer to and that a restore makes anew. What lies
// beyond a router's gateway is none of that.
func (d *document) references() []reference {
	var out []reference
	add := func(from string, k kind, id, on string) {
		if id != "" {
			out = append(out, reference{from: from, to: k.word() + " " + id, kind: k, id: id, on: on})
		}
	}
	addresses := func(from, network string, ips []fixedIP) {
		add(from, networkKind, network, "")
		for _, ip := range ips {
			add(from, subnetKind, ip.SubnetID, network)
		}
	}
	for i := range d.Subnets {
		add("subnet "+d.Subnets[i].ID, networkKind, d.Subnets[i].NetworkID, "")
	}
	for i := range d.Routers {
		for _, p := range d.Routers[i].Interfaces {
			addresses("router "+d.Routers[i].ID, p.NetworkID, p.FixedIPs)
		}
	}
	for i := range d.Ports {
		p := &d.Ports[i]
		addresses("port "+p.ID, p.NetworkID, p.FixedIPs)
		for _, g := range p.SecurityGroups {
			add("port "+p.ID, groupKind, g, "")
		}
	}
	for i := range d.SecurityGroups {
		g := &d.SecurityGroups[i]
		for _, r := range g.Rules {
			if r.RemoteGroupID != nil {
				add("rule of the security group "+g.ID, groupKind, *r.RemoteGroupID, "")
			}
		}
	}
	return out
}

// dangling gives the references to what is not in the document.
func (d *document) dangling() []reference {
	networks, groups, subnets := map[string]bool{}, map[string]bool{}, map[string]string{}
	for i := range d.Networks {
		networks[d.Networks[i].ID] = true
	}
	for i := range d.SecurityGroups {
		groups[d.SecurityGroups[i].ID] = true
	}
	for i := range d.Subnets {
		subnets[d.Subnets[i].ID] = d.Subnets[i].NetworkID
	}
	return slices.DeleteFunc(d.references(), func(r reference) bool {
		switch r.kind {
		case networkKind:
			return networks[r.id]
		case groupKind:
			return groups[r.id]
		default:
			on, there := subnets[r.id]
			return there && on == r.on
		}
	})
}

// noteOutside notes what the topology refers to and does not take in: the security groups of other projects,
// what a restore has not finished, and what was made while the topology was read. Restore tells of security
// groups; of subnets the tenant is told now.
func (s *survey) noteOutside() {
	s.doc.Outside = []string{}
	for _, r := range s.doc.dangling() {
		if r.kind == networkKind || slices.Contains(s.doc.Outside, r.id) {
			continue
		}
		s.doc.Outside = append(s.doc.Outside, r.id)
		if r.kind == subnetKind {
			s.leftOut = append(s.leftOut, fmt.Sprintf("The %s, in which the %s has an address: it is another project's, was not there yet "+
				"when the subnets were read, or a restore has not finished it.", r.to, r.from))
		}
	}
	slices.Sort(s.doc.Outside)
}
