package network

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// protect is the Main hook of protect: it reads everything, then writes it.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var kept protectRecord
	if err := call.Scratch.Load(ctx, &kept); err != nil {
		return err
	}
	if kept.Networks == nil {
		client, err := openstack.Network(ctx, call.Cloud)
		if err != nil {
			return err
		}
		s := survey{neutron: neutron{client}, project: call.Cloud.ProjectID()}
		if err := s.read(ctx, call.Node.ID); err != nil {
			return err
		}
		s.tidy()
		s.noteOutside()
		kept = protectRecord{document: s.doc, LeftOut: s.leftOut}
		// What is written must not change between two runs.
		if err := call.Scratch.Save(ctx, kept); err != nil {
			return err
		}
	}
	for _, what := range kept.LeftOut {
		call.NotKept(what)
	}
	return call.Documents.CreateJSON(ctx, documentKey, kept.document)
}

// protectRecord is the scratch record of a protect operation: what was read, and what is told of it.
type protectRecord struct {
	document

	LeftOut []string `json:"left_out,omitempty"`
}

// survey reads a topology.
type survey struct {
	neutron neutron
	project string
	doc     document
	// leftOut tells what a restore has not finished.
	leftOut []string
}

// read fills the document for a node: the project's id stands for all it owns.
func (s *survey) read(ctx context.Context, id string) error {
	s.doc.Networks = []network{}
	if id == s.project {
		return s.readProject(ctx)
	}
	return s.readNetwork(ctx, id)
}

func (s *survey) readProject(ctx context.Context) (err error) {
	s.doc.Project = true
	mine := url.Values{"project_id": {s.project}}
	all, err := list[network](ctx, s.neutron, networkKind, mine)
	if err != nil {
		return err
	}
	s.doc.Networks = append(s.doc.Networks, own(s, networkKind, all)...)
	subnets, err := list[subnet](ctx, s.neutron, subnetKind, mine)
	if err != nil {
		return err
	}
	s.doc.Subnets = own(s, subnetKind, without(subnets, all, s.doc.Networks))
	routers, err := list[router](ctx, s.neutron, routerKind, mine)
	if err != nil {
		return err
	}
	s.doc.Routers = own(s, routerKind, routers)
	groups, err := list[group](ctx, s.neutron, groupKind, mine)
	if err != nil {
		return err
	}
	s.doc.SecurityGroups = own(s, groupKind, groups)
	ports, err := list[port](ctx, s.neutron, portKind, mine)
	if err != nil {
		return err
	}
	for i := range s.doc.Routers {
		// The interfaces belong to the project too, or to nobody: ask for them.
		found, err := list[port](ctx, s.neutron, portKind, url.Values{"device_id": {s.doc.Routers[i].ID}})
		if err != nil {
			return err
		}
		s.addInterfaces(&s.doc.Routers[i], found)
	}
	s.addPorts(ports)
	s.doc.Ports = own(s, portKind, s.doc.Ports)
	if err := s.nameGateways(ctx); err != nil {
		return err
	}
	// What was deleted while it was read would be kept by halves.
	there, err := list[network](ctx, s.neutron, networkKind, mine)
	if err != nil {
		return err
	}
	s.forget(there)
	return nil
}

// forget takes from the document the networks that are not there any more, with all that was on them.
func (s *survey) forget(there []network) {
	gone := map[string]bool{}
	for _, n := range s.doc.Networks {
		gone[n.ID] = !slices.ContainsFunc(there, func(now network) bool { return now.ID == n.ID })
	}
	s.doc.Networks = slices.DeleteFunc(s.doc.Networks, func(n network) bool { return gone[n.ID] })
	s.doc.Subnets = slices.DeleteFunc(s.doc.Subnets, func(n subnet) bool { return gone[n.NetworkID] })
	s.doc.Ports = slices.DeleteFunc(s.doc.Ports, func(p port) bool { return gone[p.NetworkID] })
	for i := range s.doc.Routers {
		r := &s.doc.Routers[i]
		r.Interfaces = slices.DeleteFunc(r.Interfaces, func(p interfacePort) bool { return gone[p.NetworkID] })
	}
}

func (s *survey) readNetwork(ctx context.Context, id string) (err error) {
	var n network
	if err := s.neutron.show(ctx, networkKind, id, &n); err != nil {
		return err
	}
	s.doc.Networks = []network{n}
	on := url.Values{"network_id": {id}}
	if s.doc.Subnets, err = list[subnet](ctx, s.neutron, subnetKind, on); err != nil {
		return err
	}
	ports, err := list[port](ctx, s.neutron, portKind, on)
	if err != nil {
		return err
	}
	if n.ProjectID == s.project {
		if err := s.readRouters(ctx, ports); err != nil {
			return err
		}
	}
	s.addPorts(ports)
	if err := s.readGroups(ctx, ports); err != nil {
		return err
	}
	if err := s.nameGateways(ctx); err != nil {
		return err
	}
	// One that was deleted while it was read would be kept by halves.
	return s.neutron.show(ctx, networkKind, id, &network{})
}

// readRouters reads the project's routers that have interfaces among ports.
func (s *survey) readRouters(ctx context.Context, ports []port) error {
	for _, p := range ports {
		known := slices.ContainsFunc(s.doc.Routers, func(r router) bool { return r.ID == p.DeviceID })
		if !p.isRouterInterface() || known {
			continue
		}
		var r router
		err := s.neutron.show(ctx, routerKind, p.DeviceID, &r)
		if openstack.IsNotFound(err) {
			continue // it belongs to another project
		}
		if err != nil {
			return err
		}
		if r.ProjectID == s.project {
			s.addInterfaces(&r, ports)
			s.doc.Routers = append(s.doc.Routers, r)
		}
	}
	return nil
}

// addInterfaces notes those of ports that are the router's interfaces on the
// networks of the document.
func (s *survey) addInterfaces(r *router, ports []port) {
	for _, p := range ports {
		here := slices.ContainsFunc(s.doc.Networks, func(n network) bool { return n.ID == p.NetworkID })
		if p.isRouterInterface() && p.DeviceID == r.ID && here {
			r.Interfaces = append(r.Interfaces, interfacePort{NetworkID: p.NetworkID, FixedIPs: p.FixedIPs})
		}
	}
}

// addPorts notes those ports that the tenant made for himself: no server, router
// or other service owns them, or would make them anew.
func (s *survey) addPorts(ports []port) {
	for _, p := range ports {
		here := slices.ContainsFunc(s.doc.Networks, func(n network) bool { return n.ID == p.NetworkID })
		if p.DeviceID == "" && p.DeviceOwner == "" && p.ProjectID == s.project && here {
			s.doc.Ports = append(s.doc.Ports, p)
		}
	}
}

// readGroups reads the project's security groups that ports use, and those that
// their rules refer to.
func (s *survey) readGroups(ctx context.Context, ports []port) error {
	all, err := list[group](ctx, s.neutron, groupKind, url.Values{"project_id": {s.project}})
	if err != nil {
		return err
	}
	byID := map[string]group{}
	for _, g := range all {
		byID[g.ID] = g
	}
	var wanted []string
	for _, p := range ports {
		if p.ProjectID == s.project {
			wanted = append(wanted, p.SecurityGroups...)
		}
	}
	seen := map[string]bool{}
	for len(wanted) > 0 {
		g, mine := byID[wanted[0]]
		wanted = wanted[1:]
		if !mine || seen[g.ID] {
			continue
		}
		seen[g.ID] = true
		s.doc.SecurityGroups = append(s.doc.SecurityGroups, g)
		for _, r := range g.Rules {
			if r.RemoteGroupID != nil {
				wanted = append(wanted, *r.RemoteGroupID)
			}
		}
	}
	return nil
}

// nameGateways notes the names of the external networks.
func (s *survey) nameGateways(ctx context.Context) error {
	for i := range s.doc.Routers {
		r := &s.doc.Routers[i]
		if r.Gateway == nil || r.Gateway.NetworkID == "" {
			continue
		}
		var n network
		err := s.neutron.show(ctx, networkKind, r.Gateway.NetworkID, &n)
		if err != nil && !openstack.IsNotFound(err) {
			return err
		}
		r.GatewayName = n.Name
	}
	return nil
}

// tidy gives the document one order, and takes out what is not the original's.
func (s *survey) tidy() {
	d := &s.doc
	for i := range d.Networks {
		d.Networks[i].Tags = untagged(d.Networks[i].Tags)
	}
	for i := range d.Subnets {
		d.Subnets[i].Tags = untagged(d.Subnets[i].Tags)
	}
	for i := range d.Routers {
		d.Routers[i].Tags = untagged(d.Routers[i].Tags)
		slices.SortFunc(d.Routers[i].Interfaces, func(a, b interfacePort) int { return cmp.Compare(a.NetworkID, b.NetworkID) })
	}
	for i := range d.SecurityGroups {
		g := &d.SecurityGroups[i]
		g.Tags = untagged(g.Tags)
		for j := range g.Rules {
			g.Rules[j].ID = ""
		}
		slices.SortFunc(g.Rules, func(a, b rule) int { return cmp.Compare(a.key(), b.key()) })
	}
	for i := range d.Ports {
		d.Ports[i].Tags = untagged(d.Ports[i].Tags)
	}
	slices.SortFunc(d.Networks, func(a, b network) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Subnets, func(a, b subnet) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Routers, func(a, b router) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.SecurityGroups, func(a, b group) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Ports, func(a, b port) int { return cmp.Compare(a.ID, b.ID) })
}
