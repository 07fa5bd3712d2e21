package neutron

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// interfaceRequest is the body of add_ and remove_router_interface.
type interfaceRequest struct {
	SubnetID string `json:"subnet_id"`
	PortID   string `json:"port_id"`
}

func badRouter(format string, args ...any) error {
	return fabric.Typed(http.StatusBadRequest, "BadRequest", "Bad router request: "+format, args...)
}

func (n *Neutron) addInterface(r *fabric.Request) error {
	var want interfaceRequest
	if err := r.Decode(&want); err != nil {
		return err
	}
	if (want.SubnetID == "") == (want.PortID == "") {
		return badRouter("Either subnet_id or port_id must be specified.")
	}
	var answer object
	err := n.fab.Atomic(func() error {
		router, err := n.routers.own(r.Identity, r.PathValue("id"), "add_router_interface")
		if err != nil {
			return err
		}
		var port Port
		if want.PortID != "" {
			port, err = n.interfaceByPort(r.Identity, router, want.PortID)
		} else {
			port, err = n.interfaceBySubnet(r.Identity, router, want.SubnetID)
		}
		if err != nil {
			return err
		}
		n.ports.keep(port)
		answer = interfaceAnswer(router, port)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, answer)
}

func interfaceAnswer(router Router, port Port) object {
	subnets := []string{}
	for _, ip := range port.FixedIPs {
		subnets = append(subnets, ip.SubnetID)
	}
	return object{
		"id": router.ID, "tenant_id": router.TenantID, "port_id": port.ID, "network_id": port.NetworkID,
		"subnet_id": subnets[0], "subnet_ids": subnets,
	}
}

func (n *Neutron) interfaceByPort(who fabric.Identity, router Router, id string) (Port, error) {
	port, err := n.ports.own(who, id, "update")
	if err != nil {
		return port, err
	}
	if port.DeviceID != "" {
		return port, fabric.Typed(http.StatusConflict, "PortInUse",
			"Unable to complete operation on port %s for network %s. Port already has an attached device %s.", id, port.NetworkID, port.DeviceID)
	}
	if len(port.FixedIPs) == 0 {
		return port, badRouter("Router port must have at least one fixed IP.")
	}
	for _, ip := range port.FixedIPs {
		subnet, _ := n.subnets.docs.Get(ip.SubnetID)
		if err := n.mayRoute(router, subnet); err != nil {
			return port, err
		}
	}
	port.DeviceID, port.DeviceOwner, port.Status = router.ID, routerInterface, "ACTIVE"
	return port, nil
}

func (n *Neutron) interfaceBySubnet(who fabric.Identity, router Router, id string) (Port, error) {
	subnet, err := n.subnets.find(who, id)
	if err != nil {
		return Port{}, err
	}
	if subnet.GatewayIP == nil {
		return Port{}, badRouter("Subnet for router interface must have a gateway IP.")
	}
	if err := n.mayRoute(router, subnet); err != nil {
		return Port{}, err
	}
	port := n.newPort(router.ProjectID)
	port.NetworkID, port.MACAddress, port.PortSecurity = subnet.NetworkID, newMAC(), false
	if n.usedAddresses(subnet)[*subnet.GatewayIP] {
		return Port{}, fabric.Typed(http.StatusConflict, "IpAddressAlreadyAllocated",
			"IP address %s already allocated in subnet %s", *subnet.GatewayIP, subnet.ID)
	}
	port.FixedIPs = []FixedIP{{subnet.ID, *subnet.GatewayIP}}
	port.DeviceID, port.DeviceOwner, port.Status = router.ID, routerInterface, "ACTIVE"
	return port, nil
}

// mayRoute refuses a second interface on a subnet, and overlapping ones.
func (n *Neutron) mayRoute(router Router, subnet Subnet) error {
	own, err := netip.ParsePrefix(subnet.CIDR)
	if err != nil {
		return badRouter("the subnet %s has no CIDR.", subnet.ID)
	}
	for _, p := range n.interfacesOf(router.ID) {
		for _, ip := range p.FixedIPs {
			if ip.SubnetID == subnet.ID {
				return badRouter("Router already has a port on subnet %s.", subnet.ID)
			}
			other, _ := n.subnets.docs.Get(ip.SubnetID)
			if prefix, err := netip.ParsePrefix(other.CIDR); err == nil && prefix.Overlaps(own) {
				return badRouter("Cidr %s of subnet %s overlaps with cidr %s of subnet %s.", subnet.CIDR, subnet.ID, other.CIDR, other.ID)
			}
		}
	}
	return nil
}

func (n *Neutron) removeInterface(r *fabric.Request) error {
	var want interfaceRequest
	if err := r.Decode(&want); err != nil {
		return err
	}
	var answer object
	err := n.fab.Atomic(func() error {
		router, err := n.routers.own(r.Identity, r.PathValue("id"), "remove_router_interface")
		if err != nil {
			return err
		}
		port, err := n.findInterface(router, want)
		if err != nil {
			return err
		}
		for _, ip := range port.FixedIPs {
			if n.subnetNeeded(router.ID, ip.SubnetID) {
				return fabric.Typed(http.StatusConflict, "RouterInterfaceInUseByFloatingIP",
					"Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more floating IPs.",
					ip.SubnetID, router.ID)
			}
		}
		n.ports.docs.Delete(port.ID)
		answer = interfaceAnswer(router, port)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, answer)
}

func (n *Neutron) findInterface(router Router, want interfaceRequest) (Port, error) {
	for _, p := range n.interfacesOf(router.ID) {
		on := slices.ContainsFunc(p.FixedIPs, func(ip FixedIP) bool { return ip.SubnetID == want.SubnetID })
		switch {
		case want.PortID == p.ID && (want.SubnetID == "" || on), want.PortID == "" && on:
			return p, nil
		}
	}
	if want.PortID != "" {
		return Port{}, fabric.Typed(http.StatusNotFound, "RouterInterfaceNotFound",
			"Router %s does not have an interface with id %s", router.ID, want.PortID)
	}
	return Port{}, fabric.Typed(http.StatusNotFound, "RouterInterfaceNotFoundForSubnet",
		"Router %s has no interface on subnet %s", router.ID, want.SubnetID)
}

// subnetNeeded tells whether a floating IP goes through the router to a port
// on the subnet.
func (n *Neutron) subnetNeeded(router, subnet string) bool {
	for _, f := range n.floating.docs.List(func(f FloatingIP) bool { return deref(f.RouterID) == router }) {
		port, _ := n.ports.docs.Get(deref(f.PortID))
		if slices.Contains(port.FixedIPs, FixedIP{subnet, deref(f.FixedIPAddress)}) {
			return true
		}
	}
	return false
}
