// Package network finds a tenant's networks, and the project's whole topology as
// one instance.
package network

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds networks (OS::Neutron::Network). One instance, with the project's id,
// is all of the project's topology; the others are its networks one by one.
var Plugin = plugin.Define("karbor-network-protectable-plugin",
	"Finds the network topology of the caller's project, its networks, and those that a server uses.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.NetworkType }

// Parents implements protectable.Plugin.
func (finder) Parents() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ServerType, karbor.ProjectType}
}

// List implements protectable.Plugin: the topology comes first, then the project's
// own networks in the order of their ids, but for those of restore drills.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	var out []karbor.Resource
	switch q.Marker {
	case "":
		all, err := topology(ctx, cloud)
		if err != nil {
			return nil, err
		}
		if out = append(out, all); q.Limit == 1 {
			return out, nil
		}
		q.Limit = max(0, q.Limit-1)
	case cloud.ProjectID():
		q.Marker = ""
	}
	client, err := openstack.Network(ctx, cloud)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]networks.Network, bool, error) {
		options := networks.ListOpts{ProjectID: cloud.ProjectID(), Limit: limit, Marker: marker, SortKey: "id", SortDir: "asc"}
		found, more, err := openstack.FirstPage(ctx, networks.List(client, options))
		if err != nil || found == nil {
			return nil, false, explainList(err, marker)
		}
		list, err := networks.ExtractNetworks(found)
		return list, more, openstack.Explain(err, "listing networks")
	}
	own, err := openstack.Collect(ctx, q.Marker, q.Limit, page,
		func(n networks.Network) string { return n.ID },
		func(n networks.Network) (karbor.Resource, bool) {
			return resource(n), owned(n, cloud) && !protection.MadeByDrill(n.Description, n.Tags)
		})
	if err != nil {
		return nil, err
	}
	return append(out, own...), nil
}

// explainList explains an error of a list. With a marker, 404 can only mean that.
func explainList(err error, marker string) error {
	if openstack.IsNotFound(err) && marker != "" {
		return karbor.Errorf(karbor.Invalid, "the marker %q is no network in this list", marker)
	}
	return openstack.Explain(err, "listing networks")
}

// Show implements protectable.Plugin.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	if id == cloud.ProjectID() {
		return topology(ctx, cloud)
	}
	if !karbor.IsResourceID(id) {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no such network")
	}
	client, err := openstack.Network(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	n, err := networks.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) || err == nil && !owned(*n, cloud) {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no network %s", id)
	}
	if err != nil {
		return karbor.Resource{}, openstack.Explain(err, "looking for network %s", id)
	}
	return resource(*n), nil
}

// Dependents implements protectable.Plugin: a project has its topology; a server has
// those of the project's networks that it has ports on. A network that another
// project shares with it, or the provider's, is not the tenant's to protect: a
// restored server goes onto it again.
func (finder) Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	switch parent.Type {
	case karbor.ServerType:
		return used(ctx, cloud, parent.ID)
	case karbor.ProjectType:
		if parent.ID != cloud.ProjectID() {
			return nil, karbor.Errorf(karbor.NotFound, "there is no project %s", parent.ID)
		}
		all, err := topology(ctx, cloud)
		if err != nil {
			return nil, err
		}
		return []protectable.Dependent{{Resource: all}}, nil
	}
	return nil, nil
}

// used gives the networks of a server, in the order of their ids.
func used(ctx context.Context, cloud karbor.Cloud, serverID string) ([]protectable.Dependent, error) {
	if _, err := openstack.Server(ctx, cloud, serverID); err != nil {
		return nil, err
	}
	ids, err := networksOf(ctx, cloud, serverID)
	if err != nil {
		return nil, err
	}
	client, err := openstack.Network(ctx, cloud)
	if err != nil {
		return nil, err
	}
	var out []protectable.Dependent
	for _, id := range ids {
		n, err := networks.Get(ctx, client, id).Extract()
		if openstack.IsNotFound(err) || err == nil && !owned(*n, cloud) {
			continue
		}
		if err != nil {
			return nil, openstack.Explain(err, "looking for network %s", id)
		}
		out = append(out, protectable.Dependent{Resource: resource(*n)})
	}
	return out, nil
}

// networksOf gives the ids of the networks that a server has ports on, each once.
func networksOf(ctx context.Context, cloud karbor.Cloud, serverID string) ([]string, error) {
	client, err := openstack.Network(ctx, cloud)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]ports.Port, bool, error) {
		options := ports.ListOpts{DeviceID: serverID, Limit: limit, Marker: marker, SortKey: "id", SortDir: "asc"}
		found, more, err := openstack.FirstPage(ctx, ports.List(client, options))
		if err != nil || found == nil {
			return nil, false, openstack.Explain(err, "listing the ports of server %s", serverID)
		}
		list, err := ports.ExtractPorts(found)
		return list, more, openstack.Explain(err, "listing the ports of server %s", serverID)
	}
	ids, err := openstack.Collect(ctx, "", 0, page,
		func(p ports.Port) string { return p.ID },
		func(p ports.Port) (string, bool) { return p.NetworkID, true })
	slices.SortFunc(ids, strings.Compare)
	return slices.Compact(ids), err
}

func topology(ctx context.Context, cloud karbor.Cloud) (karbor.Resource, error) {
	name, err := openstack.ProjectName(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	return karbor.Resource{Type: karbor.NetworkType, ID: cloud.ProjectID(), Name: "Network topology of " + name}, nil
}

func owned(n networks.Network, cloud karbor.Cloud) bool {
	return max(n.ProjectID, n.TenantID) == cloud.ProjectID()
}

func resource(n networks.Network) karbor.Resource {
	return karbor.Resource{Type: karbor.NetworkType, ID: n.ID, Name: n.Name}
}
