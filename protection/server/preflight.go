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

// preflight is the Preflight hook of restore: it makes the restore's choices, and
// nothing else.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	c, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	b := &builder{clients: c, room: r, call: call, portIDs: map[string]string{}, groupIDs: map[string]string{}}
	f := protection.NewForecast(call)
	if err := call.Documents.GetJSON(ctx, documentKey, &b.doc); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		remedy string
		look   func(context.Context) error
	}{
		{"Map the flavor (flavors), or ask the operator for one like it.", func(ctx context.Context) error { return b.foreseeFlavor(ctx, f) }},
		{"Map the availability zone (availability_zones).", func(ctx context.Context) error { _, err := b.zone(ctx); return err }},
		{"Make a keypair of this name, or map it (keypairs).", func(ctx context.Context) error { return b.foreseeKeypair(ctx, f) }},
		{"Make a server group of this name and policy.", func(ctx context.Context) error { _, err := b.hints(ctx); return err }},
		{"Map the network (networks), or choose it among the resources.", func(ctx context.Context) error { return b.foreseePorts(ctx, f) }},
		{"Choose the server's disk among the resources.", b.foreseeDisk},
		{"Choose the volume among the resources, or detach it from where it is.", b.foreseeVolumes},
		{"Have floating addresses left alone (floating_ips: none), or map the external network (networks).", func(ctx context.Context) error { return b.foreseeFloatingIPs(ctx, f) }},
		{"", func(ctx context.Context) error { b.reportNotKept(); return b.foreseeHost(ctx) }},
	} {
		if err := f.Look(ctx, part.remedy, part.look); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// restores reports whether a resource will be restored with the server.
func (b *builder) restores(t karbor.ResourceType, id string) bool {
	r := karbor.Resource{Type: t, ID: id}
	return b.call.Graph.Node(karbor.MakeNodeKey(r, "")) != nil || b.call.Graph.Node(karbor.MakeNodeKey(r, b.call.Node.ID)) != nil
}

func (b *builder) foreseeFlavor(ctx context.Context, f *protection.Forecast) error {
	f.Need(protection.NeedInstances, 1)
	id, err := b.flavor(ctx)
	if err != nil {
		return err
	}
	found, err := showFlavor(ctx, b.compute, id)
	if err != nil {
		return err
	}
	f.Need(protection.NeedCores, int64(found.VCPUs))
	f.Need(protection.NeedMemory, int64(found.RAM))
	return nil
}

func (b *builder) foreseeKeypair(ctx context.Context, f *protection.Forecast) error {
	name := b.doc.KeyName
	if other := b.call.Instead(protection.MapKeypairs, name); name != "" && other != "" {
		return b.mappedKeypair(ctx, other)
	}
	if name == "" {
		return nil
	}
	var key struct {
		PublicKey string `json:"public_key"`
	}
	err := b.compute.get(ctx, "os-keypairs/"+url.PathEscape(name), nil, "keypair", &key)
	switch {
	case openstack.IsNotFound(err):
		if b.doc.PublicKey == "" {
			f.Warn(fmt.Sprintf("The server will have no keypair: there is none named %q, and its public key is not known.", name))
		}
		return nil
	case err == nil && b.doc.PublicKey != "" && key.PublicKey != b.doc.PublicKey:
		f.Warn(fmt.Sprintf("The server will have your keypair %q, which is not the one that the original had under this name.", name))
	}
	return openstack.Explain(err, "reading keypair %q", name)
}

// foreseeHost looks whether the cloud takes the original's host name.
func (b *builder) foreseeHost(ctx context.Context) error {
	name, _, err := b.host(ctx)
	if err == nil {
		b.hostNotKept(name)
	}
	return err
}

// foreseePorts looks at the networks, addresses and security groups of the interfaces.
func (b *builder) foreseePorts(ctx context.Context, f *protection.Forecast) error {
	for _, p := range b.doc.Ports {
		f.Need(protection.NeedPorts, 1)
		asked := protection.First(b.call.Text("restore_net_id"), b.call.Instead(protection.MapNetworks, p.NetworkID))
		network, err := b.networkID(ctx, p.NetworkID)
		if karbor.KindOf(err) == karbor.FailedDependency && asked == "" && b.restores(karbor.NetworkType, p.NetworkID) {
			continue // all of it will be made anew
		}
		if err != nil {
			return err
		}
		const remedy = "Ask for new addresses (addresses, hardware_addresses: renew), or remove what has these."
		look := func(ctx context.Context) error { return b.foreseeAddresses(ctx, f, p, network) }
		if err := f.Look(ctx, remedy, look); err != nil {
			return err
		}
		if p.PortSecurity == nil || *p.PortSecurity {
			if _, err := b.foreseeGroups(ctx, f, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// foreseeAddresses looks whether something else has the addresses of an interface.
func (b *builder) foreseeAddresses(ctx context.Context, f *protection.Forecast, p port, network string) error {
	ips, err := b.fixedIPs(ctx, p, network)
	if err != nil {
		return err
	}
	there, err := all[port](ctx, b.network, "ports", url.Values{"network_id": {network}})
	if err != nil {
		return openstack.Explain(err, "listing the ports of network %s", network)
	}
	renewed := b.renewed(p)
	for _, other := range there {
		if other.NetworkID != network {
			continue
		}
		if other.MACAddress == p.MACAddress && !renewed[macMember] {
			f.Warn(fmt.Sprintf("The hardware address %s is in use by port %s: the server will have another.", p.MACAddress, other.ID))
		}
		for _, ip := range ips {
			taken := slices.ContainsFunc(other.FixedIPs, func(o fixedIP) bool { return o.IPAddress == ip.IPAddress })
			if taken && ip.IPAddress != "" && !renewed[addressMember] {
				f.Warn(fmt.Sprintf("The address %s is in use by port %s: the server will have another.", ip.IPAddress, other.ID))
			}
		}
	}
	return nil
}

// foreseeGroups gives the security groups of an interface that are there, or will be.
func (b *builder) foreseeGroups(ctx context.Context, f *protection.Forecast, p port) ([]string, error) {
	var out []string
	for _, original := range p.SecurityGroups {
		id, err := b.group(ctx, original, p.GroupNames[original])
		if err != nil {
			return nil, err
		}
		made := slices.ContainsFunc(b.doc.SecurityGroups, func(g securityGroup) bool { return g.ID == original && g.Name != defaultGroup })
		switch {
		case id != "":
			out = append(out, id)
		case made:
			f.NeedOnce(protection.NeedSecurityGroups, original)
		default:
			f.Warn(fmt.Sprintf("The server will not be in security group %q (%s): it is not there, or several have its name.", p.GroupNames[original], original))
		}
	}
	return out, nil
}

func (b *builder) foreseeDisk(ctx context.Context) error {
	if b.doc.Image == "" || b.restores(karbor.ImageType, b.doc.Image) {
		return nil
	}
	_, err := b.imageID(ctx)
	return err
}

func (b *builder) foreseeVolumes(ctx context.Context) error {
	for _, v := range b.doc.Volumes {
		if b.restores(karbor.VolumeType, v.VolumeID) {
			continue
		}
		id := b.volumeID(v.VolumeID)
		switch {
		case id != "":
			if _, err := b.goesAlong(ctx, v, id); err != nil {
				return err
			}
		case v.BootIndex == 0:
			return karbor.Errorf(karbor.FailedDependency, "the server boots from volume %s, which is not restored", v.VolumeID)
		default:
			b.call.NotKept(fmt.Sprintf("The volume %s at %s: it was not protected with the server.", v.VolumeID, v.Device))
		}
	}
	return nil
}

// foreseeFloatingIPs looks whether the floating addresses are free.
func (b *builder) foreseeFloatingIPs(ctx context.Context, f *protection.Forecast) error {
	wanted := b.call.Text("restore_floating_ips")
	if wanted == "none" {
		return nil
	}
	for _, a := range b.doc.FloatingIPs {
		query := url.Values{"floating_ip_address": {a.Address}, "project_id": {b.call.Cloud.ProjectID()}}
		found, err := all[floatingIP](ctx, b.network, "floatingips", query)
		if err != nil {
			return openstack.Explain(err, "looking for floating address %s", a.Address)
		}
		free := slices.ContainsFunc(found, func(n floatingIP) bool {
			return n.Address == a.Address && (n.PortID == nil || *n.PortID == "")
		})
		if free && wanted != renew {
			continue
		}
		f.Need(protection.NeedFloatingIPs, 1)
		network, lack, err := b.external(ctx, a)
		if err != nil {
			return err
		}
		switch {
		case network == "":
			f.Warn(fmt.Sprintf("The server will not have the floating address %s: %s.", a.Address, lack))
		case wanted != renew:
			f.Warn(fmt.Sprintf("The floating address %s is not free: the server may have another.", a.Address))
		}
	}
	return nil
}
