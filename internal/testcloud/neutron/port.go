package neutron

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The device owners that Neutron gives itself.
const (
	routerInterface = "network:router_interface"
	routerGateway   = "network:router_gateway"
	floatingOwner   = "network:floatingip"
)

// FixedIP is an address of a port.
type FixedIP struct {
	SubnetID  string `json:"subnet_id"`
	IPAddress string `json:"ip_address"`
}

// AddressPair is an address that a port may use beside its own.
type AddressPair struct {
	IPAddress  string `json:"ip_address"`
	MACAddress string `json:"mac_address"`
}

// Port is a port as the API shows it.
type Port struct {
	standard
	Name           string        `json:"name"`
	NetworkID      string        `json:"network_id"`
	MACAddress     string        `json:"mac_address"`
	AdminStateUp   bool          `json:"admin_state_up"`
	Status         string        `json:"status"`
	DeviceID       string        `json:"device_id"`
	DeviceOwner    string        `json:"device_owner"`
	FixedIPs       []FixedIP     `json:"fixed_ips"`
	AddressPairs   []AddressPair `json:"allowed_address_pairs"`
	DHCPOptions    []object      `json:"extra_dhcp_opts"`
	SecurityGroups []string      `json:"security_groups"`
	PortSecurity   bool          `json:"port_security_enabled"`
	VNICType       string        `json:"binding:vnic_type"`
	Profile        object        `json:"binding:profile"`
	HostID         string        `json:"binding:host_id"`
	VIFType        string        `json:"binding:vif_type"`
	VIFDetails     object        `json:"binding:vif_details"`
}

var portKind = kind{
	one: "port", path: "ports", quota: "port",
	label: "Port", missing: "PortNotFound", absent: "could not be found.",
	creates: []string{"name", "description", "network_id", "mac_address", "admin_state_up", "fixed_ips", "device_id",
		"device_owner", "security_groups", "allowed_address_pairs", "extra_dhcp_opts", "port_security_enabled",
		"binding:vnic_type", "tenant_id", "project_id"},
	updates: []string{"name", "description", "admin_state_up", "fixed_ips", "device_id", "device_owner",
		"security_groups", "allowed_address_pairs", "extra_dhcp_opts", "port_security_enabled", "binding:vnic_type"},
	admin:  []string{"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"},
	hidden: []string{"binding:profile", "binding:host_id", "binding:vif_type", "binding:vif_details"},
}

func (n *Neutron) newPort(owner string) Port {
	return Port{
		standard: n.fresh(owner), AdminStateUp: true, Status: "DOWN", PortSecurity: true, VNICType: "normal",
		VIFType: "unbound", Profile: object{}, VIFDetails: object{}, FixedIPs: []FixedIP{},
		AddressPairs: []AddressPair{}, DHCPOptions: []object{}, SecurityGroups: []string{},
	}
}

func (n *Neutron) portHooks() hooks[Port] {
	return hooks[Port]{
		blank: n.newPort,
		visible: func(who fabric.Identity, doc Port) bool {
			if who.Sees(doc.ProjectID) {
				return true
			}
			network, _ := n.networks.docs.Get(doc.NetworkID)
			return who.ProjectID != "" && network.ProjectID == who.ProjectID
		},
		create: n.createPort,
		update: n.updatePort,
		remove: n.removePort,
	}
}

func (n *Neutron) createPort(who fabric.Identity, doc *Port, in input) error {
	if !in.has("network_id") {
		return fabric.BadRequest("Failed to parse request. Required attribute 'network_id' not specified")
	}
	network, err := n.networks.find(who, doc.NetworkID)
	if err != nil {
		return err
	}
	if err := mayJoin(who, network, in, "create"); err != nil {
		return err
	}
	if err := n.takeMAC(doc, network); err != nil {
		return err
	}
	asked := in.has("fixed_ips") && !in.null("fixed_ips")
	if doc.FixedIPs, err = n.allocate(network, doc.FixedIPs, asked, doc.MACAddress); err != nil {
		return err
	}
	if !network.PortSecurity && !in.has("port_security_enabled") {
		doc.PortSecurity = false
	}
	if err := n.secure(who, doc, !in.has("security_groups") || in.null("security_groups")); err != nil {
		return err
	}
	if strings.HasPrefix(doc.DeviceOwner, "compute:") && doc.DeviceID != "" {
		doc.Status = "ACTIVE"
	}
	return nil
}

func (n *Neutron) takeMAC(doc *Port, network Network) error {
	if doc.MACAddress == "" {
		doc.MACAddress = newMAC()
		return nil
	}
	hw, err := net.ParseMAC(doc.MACAddress)
	if err != nil || len(hw) != 6 {
		return fabric.BadRequest("Invalid input for mac_address. Reason: '%s' is not a valid MAC address.", doc.MACAddress)
	}
	doc.MACAddress = hw.String()
	for _, p := range n.portsOf(network.ID) {
		if p.MACAddress == doc.MACAddress {
			return fabric.Typed(http.StatusConflict, "MacAddressInUse",
				"Unable to complete operation for network %s. The mac address %s is in use.", network.ID, doc.MACAddress)
		}
	}
	return nil
}

// secure checks a port's security groups; unset means the default one.
func (n *Neutron) secure(who fabric.Identity, doc *Port, unset bool) error {
	if doc.AddressPairs == nil {
		doc.AddressPairs = []AddressPair{}
	}
	if doc.DHCPOptions == nil {
		doc.DHCPOptions = []object{}
	}
	for i := range doc.AddressPairs {
		if doc.AddressPairs[i].MACAddress == "" {
			doc.AddressPairs[i].MACAddress = doc.MACAddress
		}
	}
	if !doc.PortSecurity {
		if len(doc.SecurityGroups) > 0 && !unset {
			return fabric.Typed(http.StatusConflict, "PortSecurityAndIPRequiredForSecurityGroups",
				"Port security must be enabled and port must have an IP address in order to use security groups.")
		}
		doc.SecurityGroups = []string{}
		return nil
	}
	if unset {
		doc.SecurityGroups = []string{}
		if !strings.HasPrefix(doc.DeviceOwner, "network:") {
			doc.SecurityGroups = []string{n.ensureDefaultGroup(doc.ProjectID)}
		}
		return nil
	}
	for _, id := range doc.SecurityGroups {
		if _, err := n.groups.find(who, id); err != nil {
			return err
		}
	}
	return nil
}

func (n *Neutron) updatePort(who fabric.Identity, old Port, doc *Port, in input) error {
	network, _ := n.networks.docs.Get(doc.NetworkID)
	if err := mayJoin(who, network, in, "update"); err != nil {
		return err
	}
	if in.has("fixed_ips") {
		var wanted []FixedIP
		kept := []FixedIP{}
		for _, ip := range doc.FixedIPs {
			if slices.Contains(old.FixedIPs, ip) {
				kept = append(kept, ip)
			} else {
				wanted = append(wanted, ip)
			}
		}
		more, err := n.allocate(network, wanted, true, doc.MACAddress)
		if err != nil {
			return err
		}
		for _, ip := range more {
			if !slices.Contains(kept, ip) {
				kept = append(kept, ip)
			}
		}
		doc.FixedIPs = kept
	}
	doc.Status = "DOWN"
	if doc.DeviceOwner != "" && doc.DeviceID != "" && doc.AdminStateUp {
		doc.Status = "ACTIVE"
	}
	if !in.has("security_groups") {
		if doc.PortSecurity {
			return nil
		}
		doc.SecurityGroups = old.SecurityGroups
	}
	return n.secure(who, doc, false)
}

func (n *Neutron) removePort(_ fabric.Identity, doc Port) error {
	if slices.Contains([]string{routerInterface, routerGateway, floatingOwner}, doc.DeviceOwner) {
		return fabric.Typed(http.StatusConflict, "ServicePortInUse",
			"Port %s cannot be deleted directly via the port API: has device owner %s.", doc.ID, doc.DeviceOwner)
	}
	n.releaseFloating(doc.ID)
	return nil
}

func without(ips []FixedIP, subnet string) []FixedIP {
	return slices.DeleteFunc(slices.Clone(ips), func(ip FixedIP) bool { return ip.SubnetID == subnet })
}
