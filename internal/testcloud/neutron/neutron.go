// Package neutron is the network service of the simulated cloud: networks,
// subnets, ports, routers, floating IPs, security groups, tags and quotas, as
// the network API v2.0 has them. There is no data plane: what it keeps is what
// the API tells. Its answers follow those seen of OpenStack Zed.
package neutron

import (
	"context"
	"fmt"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// root is where the service is mounted; the API's paths are below /v2.0.
const root = "/network"

// Neutron is the network service. It is an http.Handler, and the network
// side of Nova. It is safe for concurrent use.
type Neutron struct {
	*fabric.Service
	fab *fabric.Fabric

	networks *table[Network]
	subnets  *table[Subnet]
	ports    *table[Port]
	routers  *table[Router]
	floating *table[FloatingIP]
	groups   *table[SecurityGroup]
	rules    *table[SecurityGroupRule]
}

// New makes the service on the fabric.
func New(f *fabric.Fabric) *Neutron {
	n := &Neutron{Service: fabric.NewService(f, "neutron", fabric.NeutronStyle, nil), fab: f}
	n.networks = newTable(n, networkKind, n.networkHooks())
	n.subnets = newTable(n, subnetKind, n.subnetHooks())
	n.ports = newTable(n, portKind, n.portHooks())
	n.routers = newTable(n, routerKind, n.routerHooks())
	n.floating = newTable(n, floatingKind, n.floatingHooks())
	n.groups = newTable(n, groupKind, n.groupHooks())
	n.rules = newTable(n, ruleKind, n.ruleHooks())
	n.Handle("PUT "+root+"/v2.0/routers/{id}/add_router_interface", n.addInterface)
	n.Handle("PUT "+root+"/v2.0/routers/{id}/remove_router_interface", n.removeInterface)
	n.quotaRoutes()
	n.extensionRoutes()
	n.HandleOpen("GET "+root, n.versions)
	return n
}

func (n *Neutron) versions(r *fabric.Request) error {
	return r.JSON(http.StatusOK, object{"versions": []object{{
		"id": "v2.0", "status": "CURRENT",
		"links": []object{{"rel": "self", "href": r.Base() + root + "/v2.0/"}},
	}}})
}

// Seed makes the external network "public" with its subnet, owned by the
// administrators' project, unless it is there.
func (n *Neutron) Seed(_ context.Context, p fabric.Projects) error {
	return n.fab.Atomic(func() error {
		if len(n.networks.docs.List(func(d Network) bool { return d.Name == "public" && d.External })) > 0 {
			return nil
		}
		network := n.newNetwork(p.Admin)
		network.Name, network.External, network.MTU = "public", true, 1500
		network.NetworkType, network.PhysicalNetwork, network.SegmentationID = "flat", new("public"), nil
		n.networks.docs.Put(network.ID, network)
		subnet := n.newSubnet(p.Admin)
		subnet.Name, subnet.NetworkID, subnet.IPVersion = "public", network.ID, 4
		subnet.CIDR, subnet.EnableDHCP = "198.51.100.0/24", false
		if err := subnet.complete(false); err != nil {
			return fmt.Errorf("seeding the external subnet: %w", err)
		}
		n.subnets.docs.Put(subnet.ID, subnet)
		return nil
	})
}
