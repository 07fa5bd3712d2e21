package neutron

import (
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// FloatingIP is an address of an external network that leads to a port.
type FloatingIP struct {
	standard
	FloatingIPAddress string  `json:"floating_ip_address"`
	FloatingNetworkID string  `json:"floating_network_id"`
	RouterID          *string `json:"router_id"`
	PortID            *string `json:"port_id"`
	FixedIPAddress    *string `json:"fixed_ip_address"`
	Status            string  `json:"status"`
	SubnetID          string  `json:"subnet_id,omitempty"`
}

var floatingKind = kind{
	one: "floatingip", path: "floatingips", quota: "floatingip",
	label: "Floating IP", missing: "FloatingIPNotFound", absent: "could not be found",
	creates: []string{"floating_network_id", "port_id", "fixed_ip_address", "description", "subnet_id", "tenant_id", "project_id"},
	updates: []string{"port_id", "fixed_ip_address", "description"},
	admin:   []string{"floating_ip_address"},
	hidden:  []string{"subnet_id"},
}

func (n *Neutron) floatingHooks() hooks[FloatingIP] {
	return hooks[FloatingIP]{
		blank: func(owner string) FloatingIP {
			return FloatingIP{standard: n.fresh(owner), Status: "DOWN"}
		},
		visible: func(who fabric.Identity, doc FloatingIP) bool { return who.Sees(doc.ProjectID) },
		create:  n.createFloating,
		update: func(who fabric.Identity, _ FloatingIP, doc *FloatingIP, in input) error {
			if !in.has("port_id") {
				return nil
			}
			if !in.has("fixed_ip_address") {
				doc.FixedIPAddress = nil
			}
			return n.associate(who, doc)
		},
		remove: func(_ fabric.Identity, doc FloatingIP) error {
			for _, p := range n.ports.docs.List(func(p Port) bool { return p.DeviceID == doc.ID && p.DeviceOwner == floatingOwner }) {
				n.ports.docs.Delete(p.ID)
			}
			return nil
		},
		view: func(doc FloatingIP, shown object) {
			shown["port_details"] = nil
			if doc.PortID == nil {
				return
			}
			p, _ := n.ports.docs.Get(*doc.PortID)
			shown["port_details"] = object{
				"name": p.Name, "network_id": p.NetworkID, "mac_address": p.MACAddress, "status": p.Status,
				"admin_state_up": p.AdminStateUp, "device_id": p.DeviceID, "device_owner": p.DeviceOwner,
			}
		},
	}
}

func (n *Neutron) createFloating(who fabric.Identity, doc *FloatingIP, _ input) error {
	network, err := n.networks.find(who, doc.FloatingNetworkID)
	if err != nil {
		return err
	}
	if !network.External {
		return fabric.Typed(http.StatusBadRequest, "BadRequest", "Bad floatingip request: Network %s is not a valid external network.", network.ID)
	}
	var want []FixedIP
	if doc.FloatingIPAddress != "" || doc.SubnetID != "" {
		want = []FixedIP{{doc.SubnetID, doc.FloatingIPAddress}}
	}
	port := n.newPort("")
	port.NetworkID, port.MACAddress, port.PortSecurity, port.Status = network.ID, newMAC(), false, "N/A"
	port.DeviceID, port.DeviceOwner = doc.ID, floatingOwner
	if port.FixedIPs, err = n.allocate(network, want, want != nil, port.MACAddress); err != nil {
		return err
	}
	if len(port.FixedIPs) == 0 {
		return fabric.Typed(http.StatusBadRequest, "BadRequest", "Bad floatingip request: Network %s does not contain any IPv4 subnet.", network.ID)
	}
	doc.FloatingIPAddress = port.FixedIPs[0].IPAddress
	if err := n.associate(who, doc); err != nil {
		return err
	}
	n.ports.docs.Put(port.ID, port)
	return nil
}

// associate leads a floating IP to its port, or nowhere without one.
func (n *Neutron) associate(who fabric.Identity, doc *FloatingIP) error {
	doc.RouterID = nil
	if deref(doc.PortID) == "" {
		doc.PortID, doc.FixedIPAddress, doc.Status = nil, nil, "DOWN"
		return nil
	}
	port, err := n.ports.find(who, *doc.PortID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(port.FixedIPs, func(ip FixedIP) bool {
		subnet, _ := n.subnets.docs.Get(ip.SubnetID)
		return subnet.IPVersion == 4 && (doc.FixedIPAddress == nil || *doc.FixedIPAddress == ip.IPAddress)
	})
	if at < 0 {
		return fabric.Typed(http.StatusBadRequest, "BadRequest",
			"Bad floatingip request: Cannot add floating IP to port %s that has no fixed IPv4 addresses.", port.ID)
	}
	fixed := port.FixedIPs[at]
	for _, f := range n.floating.docs.List(nil) {
		if f.ID != doc.ID && deref(f.PortID) == port.ID && deref(f.FixedIPAddress) == fixed.IPAddress && f.FloatingNetworkID == doc.FloatingNetworkID {
			return fabric.Typed(http.StatusConflict, "FloatingIPPortAlreadyAssociated",
				"Cannot associate floating IP %s (%s) with port %s using fixed IP %s, as that fixed IP already has a floating IP on external network %s.",
				doc.FloatingIPAddress, doc.ID, port.ID, fixed.IPAddress, doc.FloatingNetworkID)
		}
	}
	for _, router := range n.routers.docs.List(nil) {
		if router.Gateway == nil || router.Gateway.NetworkID != doc.FloatingNetworkID {
			continue
		}
		if _, err := n.findInterface(router, interfaceRequest{SubnetID: fixed.SubnetID}); err == nil {
			doc.RouterID, doc.FixedIPAddress, doc.Status = new(router.ID), new(fixed.IPAddress), "ACTIVE"
			return nil
		}
	}
	return fabric.Typed(http.StatusNotFound, "ExternalGatewayForFloatingIPNotFound",
		"External network %s is not reachable from subnet %s. Therefore, cannot associate Port %s with a Floating IP.",
		doc.FloatingNetworkID, fixed.SubnetID, port.ID)
}

// releaseFloating frees the floating IPs of a port that goes.
func (n *Neutron) releaseFloating(port string) {
	for _, f := range n.floating.docs.List(func(f FloatingIP) bool { return deref(f.PortID) == port }) {
		f.PortID, f.FixedIPAddress, f.RouterID, f.Status = nil, nil, nil, "DOWN"
		n.floating.keep(f)
	}
}
