package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// labelled is what of a thing of Neutron's tells whose it is.
type labelled struct {
	ID          string   `json:"id"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	// These only ports have.
	DeviceID       string   `json:"device_id"`
	DeviceOwner    string   `json:"device_owner"`
	SecurityGroups []string `json:"security_groups"`
	// PortID only floating addresses have.
	PortID string `json:"port_id"`
}

// findMade gives what a restore made in Neutron for an original: what has its
// tags, and what has only its mark yet. many is the kind's word in paths.
func findMade(ctx context.Context, network api, many string, call *protection.Call, original string) ([]labelled, error) {
	tags, born := ownTags(call.Owner, original), marks(call, original)
	var made []labelled
	for _, query := range []url.Values{
		{"tags": {tags[0] + "," + tags[1]}},
		{"description": born},
	} {
		found, err := all[labelled](ctx, network, many, query)
		if err != nil {
			return nil, openstack.Explain(err, "looking for what was made for %s", original)
		}
		for _, f := range found {
			ours := slices.Contains(f.Tags, tags[0]) && slices.Contains(f.Tags, tags[1]) || slices.Contains(born, f.Description)
			if ours && !slices.ContainsFunc(made, func(m labelled) bool { return m.ID == f.ID }) {
				made = append(made, f)
			}
		}
	}
	return made, nil
}

// tag gives what was made for an original its tags. That comes directly behind the request that makes it,
// so that it is known whatever its tenant writes into its description.
func (b *builder) tag(ctx context.Context, many, id, original string, tags []string) error {
	all := append(slices.Clone(tags), ownTags(b.call.Owner, original)...)
	err := b.network.put(ctx, many+"/"+id+"/tags", map[string]any{"tags": all})
	return openstack.Explain(err, "tagging what was made for %s", original)
}

// describe gives what was made for an original its description: the restore is done with it.
func (b *builder) describe(ctx context.Context, many, one, id, original, description string) error {
	err := b.network.put(ctx, many+"/"+id, map[string]any{one: map[string]any{"description": protection.Described(description)}})
	return openstack.Explain(err, "describing what was made for %s", original)
}

// ports makes the server's ports. Nova does not delete ports that it did not
// make: they outlive the server.
func (b *builder) ports(ctx context.Context) error {
	for _, p := range b.doc.Ports {
		var made []labelled
		find := func(ctx context.Context) (id string, err error) {
			if made, err = findMade(ctx, b.network, "ports", b.call, p.ID); err != nil || len(made) == 0 {
				return "", err
			}
			return made[0].ID, nil
		}
		id, err := openstack.MakeRestored(ctx, b.call, protection.Holding{Kind: protection.HeldPort}, "port for "+p.ID, find, func(ctx context.Context) (string, error) {
			return b.makePort(ctx, p)
		})
		if err != nil {
			return err
		}
		b.portIDs[p.ID] = id
		if len(made) == 0 || len(made[0].Tags) < 2 {
			if err := b.tag(ctx, "ports", id, p.ID, p.Tags); err != nil {
				return err
			}
		}
		if len(made) == 0 || made[0].Description != protection.Described(p.Description) {
			b.begun = append(b.begun, p)
		}
	}
	return nil
}

// finishPorts gives the new ports their descriptions, once the server has them.
func (b *builder) finishPorts(ctx context.Context) error {
	for _, p := range b.begun {
		if err := b.describe(ctx, "ports", "port", b.portIDs[p.ID], p.ID, p.Description); err != nil {
			return err
		}
	}
	return nil
}

// makePort makes the port that takes an original's place, with its addresses, or
// with others where those are in use, do not fit any more, or are not the tenant's
// to choose.
func (b *builder) makePort(ctx context.Context, p port) (string, error) {
	network, err := b.networkID(ctx, p.NetworkID)
	if err != nil {
		return "", err
	}
	body := map[string]any{
		"name": p.Name, "description": marks(b.call, p.ID)[0], "network_id": network, "admin_state_up": p.AdminStateUp,
	}
	if p.VNICType != "" && p.VNICType != "normal" {
		body["binding:vnic_type"] = p.VNICType
	}
	request := portRequest{port: p, forbidden: map[string]bool{}, renewed: b.renewed(p)}
	if !request.open() {
		if request.groups, err = b.groups(ctx, p); err != nil {
			return "", err
		}
	}
	if request.ips, err = b.fixedIPs(ctx, p, network); err != nil {
		return "", err
	}
	for {
		request.fill(body)
		var made labelled
		err = b.network.post(ctx, "ports", map[string]any{"port": body}, "port", &made)
		if err == nil {
			for _, sentence := range request.lost() {
				b.call.NotKept(sentence)
			}
			return made.ID, nil
		}
		explained := openstack.Explain(err, "creating the port that takes the place of port %s of server %s", p.ID, b.call.Node.ID)
		if !request.less(err, explained) {
			return "", explained
		}
	}
}

// networkID gives the network for a port.
func (b *builder) networkID(ctx context.Context, original string) (string, error) {
	id := b.call.Text("restore_net_id")
	if other := b.call.Instead(protection.MapNetworks, original); id == "" && other != "" {
		id = other
		b.call.Mapped(fmt.Sprintf("The server is on network %s in the place of network %s.", other, original))
	}
	if id == "" {
		node := karbor.MakeNodeKey(karbor.Resource{Type: karbor.NetworkType, ID: original}, "")
		id = protection.First(b.call.NewResources.ID(node), b.call.NewResources.Part(original), original)
	}
	var network labelled
	err := b.network.get(ctx, "networks/"+id, nil, "network", &network)
	if openstack.IsNotFound(err) {
		return "", karbor.Errorf(karbor.FailedDependency,
			"the network %s of server %s is not there and was not restored: name another with restore_net_id or restore_networks", id, b.call.Node.ID)
	}
	return id, openstack.Explain(err, "reading network %s", id)
}

// groups gives the security groups that take the place of a port's.
func (b *builder) groups(ctx context.Context, p port) ([]string, error) {
	out := []string{}
	for _, original := range p.SecurityGroups {
		id, err := b.group(ctx, original, p.GroupNames[original])
		if err != nil {
			return nil, err
		}
		if id == "" {
			b.call.NotKept(fmt.Sprintf("The server is not in security group %q (%s): it is not there, or several have its name.", p.GroupNames[original], original))
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
