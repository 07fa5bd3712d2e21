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

// labelled is what of a thing of Neutron's tells whose it is.
type labelled struct {
	ID          string   `json:"id"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	DeviceID    string   `json:"device_id"`
}

// findMade gives what a restore made in Neutron for an original: what has its
// tags, and what has only its mark yet.
func findMade(ctx context.Context, network api, many, owner, original string) ([]labelled, error) {
	tags := ownTags(owner, original)
	var made []labelled
	for _, query := range []url.Values{
		{"tags": {tags[0] + "," + tags[1]}},
		{"description": {mark(owner, original)}},
	} {
		var found []labelled
		if err := network.get(ctx, many, query, many, &found); err != nil {
			return nil, openstack.Explain(err, "looking for what was made for %s", original)
		}
		for _, f := range found {
			ours := slices.Contains(f.Tags, tags[0]) && slices.Contains(f.Tags, tags[1]) || f.Description == mark(owner, original)
			if ours && !slices.ContainsFunc(made, func(m labelled) bool { return m.ID == f.ID }) {
				made = append(made, f)
			}
		}
	}
	return made, nil
}

// label gives what was made for an original its tags and its description.
func (b *builder) label(ctx context.Context, many, one, id, original, description string, tags []string) error {
	all := append(slices.Clone(tags), ownTags(b.call.Owner, original)...)
	if err := b.network.put(ctx, many+"/"+id+"/tags", map[string]any{"tags": all}); err != nil {
		return openstack.Explain(err, "tagging what was made for %s", original)
	}
	err := b.network.put(ctx, many+"/"+id, map[string]any{one: map[string]any{"description": description}})
	return openstack.Explain(err, "describing what was made for %s", original)
}

// ports makes the server's ports. Nova does not delete ports that it did not
// make: they outlive the server.
func (b *builder) ports(ctx context.Context) error {
	for _, p := range b.doc.Ports {
		made, err := findMade(ctx, b.network, "ports", b.call.Owner, p.ID)
		if err != nil {
			return err
		}
		var id string
		if len(made) > 0 {
			id = made[0].ID
		} else if id, err = b.makePort(ctx, p); err != nil {
			return err
		}
		b.portIDs[p.ID] = id
		finished := len(made) > 0 && len(made[0].Tags) >= 2 && made[0].Description == p.Description
		if finished {
			continue
		}
		if err := b.label(ctx, "ports", "port", id, p.ID, p.Description, p.Tags); err != nil {
			return err
		}
	}
	return nil
}

// makePort makes the port that takes an original's place, with its addresses, or
// with others where those are in use or do not fit any more.
func (b *builder) makePort(ctx context.Context, p port) (string, error) {
	network, err := b.networkID(ctx, p.NetworkID)
	if err != nil {
		return "", err
	}
	body := map[string]any{
		"name": p.Name, "description": mark(b.call.Owner, p.ID), "network_id": network, "admin_state_up": p.AdminStateUp,
	}
	if p.VNICType != "" && p.VNICType != "normal" {
		body["binding:vnic_type"] = p.VNICType
	}
	if p.PortSecurity != nil && !*p.PortSecurity {
		body["port_security_enabled"] = false
	} else {
		if body["security_groups"], err = b.groups(ctx, p); err != nil {
			return "", err
		}
		if pairs := pairsOf(p); len(pairs) > 0 {
			body["allowed_address_pairs"] = pairs
		}
	}
	ips, err := b.fixedIPs(ctx, p, network)
	if err != nil {
		return "", err
	}
	// From the exact addresses down to whatever the network gives.
	attempts := []map[string]any{{"mac_address": p.MACAddress, "fixed_ips": ips}, {"fixed_ips": ips}, {"mac_address": p.MACAddress}, {}}
	if len(ips) == 0 {
		attempts = []map[string]any{{"mac_address": p.MACAddress}, {}}
	}
	for n, attempt := range attempts {
		for _, member := range []string{"mac_address", "fixed_ips"} {
			delete(body, member)
			if attempt[member] != nil {
				body[member] = attempt[member]
			}
		}
		var made labelled
		err = b.network.post(ctx, "ports", map[string]any{"port": body}, "port", &made)
		if err == nil {
			b.reportAddresses(p, attempt, n)
			return made.ID, nil
		}
		explained := openstack.Explain(err, "creating the port that takes the place of port %s of server %s", p.ID, b.call.Node.ID)
		taken := gophercloud.ResponseCodeIs(err, http.StatusConflict) && karbor.KindOf(explained) != karbor.OverLimit
		unfit := gophercloud.ResponseCodeIs(err, http.StatusBadRequest)
		if !taken && !unfit || n == len(attempts)-1 {
			return "", explained
		}
	}
	return "", nil
}

// reportAddresses tells which of a port's addresses are not the original's.
func (b *builder) reportAddresses(p port, kept map[string]any, attempt int) {
	if attempt == 0 {
		return
	}
	if kept["mac_address"] == nil {
		b.call.NotKept(fmt.Sprintf("The hardware address %s of the server's interface: it is in use or not allowed.", p.MACAddress))
	}
	if kept["fixed_ips"] == nil {
		for _, ip := range p.FixedIPs {
			b.call.NotKept(fmt.Sprintf("The address %s of the server: it is in use or does not fit its network any more.", ip.IPAddress))
		}
	}
}

// networkID gives the network for a port.
func (b *builder) networkID(ctx context.Context, original string) (string, error) {
	id := b.call.Text("restore_net_id")
	if id == "" {
		node := karbor.MakeNodeKey(karbor.Resource{Type: karbor.NetworkType, ID: original}, "")
		id = protection.First(b.call.NewResources.ID(node), b.call.NewResources.Part(original), original)
	}
	var network labelled
	err := b.network.get(ctx, "networks/"+id, nil, "network", &network)
	if openstack.IsNotFound(err) {
		return "", karbor.Errorf(karbor.FailedDependency,
			"the network %s of server %s is not there and was not restored: name another with restore_net_id", id, b.call.Node.ID)
	}
	return id, openstack.Explain(err, "reading network %s", id)
}

// fixedIPs gives the port's addresses in the subnets that take the originals'
// places.
func (b *builder) fixedIPs(ctx context.Context, p port, network string) ([]fixedIP, error) {
	var subnets []struct {
		ID        string `json:"id"`
		NetworkID string `json:"network_id"`
	}
	if err := b.network.get(ctx, "subnets", url.Values{"network_id": {network}}, "subnets", &subnets); err != nil {
		return nil, openstack.Explain(err, "listing the subnets of network %s", network)
	}
	var ips []fixedIP
	for _, ip := range p.FixedIPs {
		id := protection.First(b.call.NewResources.Part(ip.SubnetID), ip.SubnetID)
		for _, s := range subnets {
			if s.ID == id && s.NetworkID == network {
				ips = append(ips, fixedIP{SubnetID: id, IPAddress: ip.IPAddress})
			}
		}
	}
	if len(ips) == 0 {
		for _, ip := range p.FixedIPs {
			b.call.NotKept(fmt.Sprintf("The address %s of the server: its subnet is not there.", ip.IPAddress))
		}
	}
	return ips, nil
}

// groups gives the security groups that take the place of a port's: the restored
// ones, the originals, or those with their names.
func (b *builder) groups(ctx context.Context, p port) ([]string, error) {
	var there []struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		ProjectID string `json:"project_id"`
	}
	if err := b.network.get(ctx, "security-groups", nil, "security_groups", &there); err != nil {
		return nil, openstack.Explain(err, "listing the security groups")
	}
	out := []string{}
	for _, original := range p.SecurityGroups {
		id := b.call.NewResources.Part(original)
		for _, g := range there {
			if id == "" && g.ID == original {
				id = original
			}
		}
		for _, g := range there {
			if id == "" && g.Name != "" && g.Name == p.GroupNames[original] && g.ProjectID == b.call.Cloud.ProjectID() {
				id = g.ID
			}
		}
		if id == "" {
			b.call.NotKept(fmt.Sprintf("The server is not in security group %q (%s): it is not there.", p.GroupNames[original], original))
			continue
		}
		out = append(out, id)
	}
	return out, nil
}

// pairsOf gives the address pairs without those hardware addresses that are the
// port's own: Neutron puts the new port's there.
func pairsOf(p port) []addressPair {
	var out []addressPair
	for _, a := range p.AllowedAddressPairs {
		if a.MACAddress == p.MACAddress {
			a.MACAddress = ""
		}
		out = append(out, a)
	}
	return out
}
