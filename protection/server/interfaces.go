package server

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/karbor/karbor/internal/openstack"
)

// mebibytes is a size that old microversions of Nova show as "" when it is 0.
type mebibytes int

// UnmarshalJSON implements json.Unmarshaler.
func (m *mebibytes) UnmarshalJSON(text []byte) error {
	if string(text) == `""` {
		*m = 0
		return nil
	}
	return json.Unmarshal(text, (*int)(m))
}

// flavorView is a flavor as Nova shows it.
type flavorView struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	VCPUs      int               `json:"vcpus"`
	RAM        int               `json:"ram"`
	Disk       int               `json:"disk"`
	Ephemeral  int               `json:"OS-FLV-EXT-DATA:ephemeral"`
	Swap       mebibytes         `json:"swap"`
	ExtraSpecs map[string]string `json:"extra_specs"`
}

func (v flavorView) flavor() flavor {
	return flavor{ID: v.ID, Name: v.Name, VCPUs: v.VCPUs, RAM: v.RAM, Disk: v.Disk,
		Ephemeral: v.Ephemeral, Swap: int(v.Swap), ExtraSpecs: v.ExtraSpecs}
}

func showFlavor(ctx context.Context, compute api, id string) (flavor, error) {
	var v flavorView
	err := compute.get(ctx, "flavors/"+url.PathEscape(id), nil, "flavor", &v)
	return v.flavor(), openstack.Explain(err, "reading flavor %s", id)
}

// readPorts reads the server's ports with the names of their security groups.
func (s *survey) readPorts(ctx context.Context, i *instance) error {
	ports, err := all[port](ctx, s.network, "ports", url.Values{"device_id": {i.ID}})
	if err != nil {
		return openstack.Explain(err, "listing the ports of server %s", i.ID)
	}
	ports = slices.DeleteFunc(ports, func(p port) bool { return p.DeviceID != i.ID })
	groups, err := securityGroups(ctx, s.network)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, g := range groups {
		names[g.ID] = g.Name
	}
	tags, err := s.deviceTags(ctx, i.ID)
	if err != nil {
		return err
	}
	// Neutron knows no order of a server's interfaces; the ports are mostly as
	// old as their place in the server.
	slices.SortFunc(ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	for n := range ports {
		p := &ports[n]
		p.Tags, p.DeviceTag, p.GroupNames = untagged(p.Tags), tags[p.ID], map[string]string{}
		for _, g := range p.SecurityGroups {
			p.GroupNames[g] = names[g]
		}
	}
	s.doc.Ports, s.doc.SecurityGroups = ports, usedGroups(groups, ports, s.call.Cloud.ProjectID())
	return nil
}

// deviceTags gives the tags of the server's interfaces by port. Clouds older than
// microversion 2.70 do not show them.
func (s *survey) deviceTags(ctx context.Context, id string) (map[string]string, error) {
	var found []struct {
		PortID string  `json:"port_id"`
		Tag    *string `json:"tag"`
	}
	err := s.compute.get(ctx, "servers/"+id+"/os-interface", nil, "interfaceAttachments", &found)
	if err != nil && !openstack.IsNotFound(err) {
		return nil, openstack.Explain(err, "listing the interfaces of server %s", id)
	}
	tags := map[string]string{}
	for _, f := range found {
		if f.Tag != nil {
			tags[f.PortID] = *f.Tag
		}
	}
	return tags, nil
}

// readFloatingIPs reads the floating addresses of the server's ports.
func (s *survey) readFloatingIPs(ctx context.Context, i *instance) error {
	found, err := all[floatingIP](ctx, s.network, "floatingips", url.Values{"project_id": {s.call.Cloud.ProjectID()}})
	if err != nil {
		return openstack.Explain(err, "listing the floating addresses of server %s", i.ID)
	}
	for _, f := range found {
		mine := f.PortID != nil && slices.ContainsFunc(s.doc.Ports, func(p port) bool { return p.ID == *f.PortID })
		if !mine {
			continue
		}
		var network struct{ Name string }
		err := s.network.get(ctx, "networks/"+f.NetworkID, nil, "network", &network)
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "reading network %s", f.NetworkID)
		}
		f.NetworkName, f.Tags = network.Name, untagged(f.Tags)
		s.doc.FloatingIPs = append(s.doc.FloatingIPs, f)
	}
	slices.SortFunc(s.doc.FloatingIPs, func(a, b floatingIP) int { return cmp.Compare(a.Address, b.Address) })
	return nil
}
