package neutron

import (
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Network is a network as the API shows it, but for its subnets, which are
// looked up.
type Network struct {
	standard
	Name             string   `json:"name"`
	AdminStateUp     bool     `json:"admin_state_up"`
	MTU              int      `json:"mtu"`
	Status           string   `json:"status"`
	Shared           bool     `json:"shared"`
	External         bool     `json:"router:external"`
	Default          bool     `json:"is_default"`
	ZoneHints        []string `json:"availability_zone_hints"`
	Zones            []string `json:"availability_zones"`
	IPv4AddressScope *string  `json:"ipv4_address_scope"`
	IPv6AddressScope *string  `json:"ipv6_address_scope"`
	PortSecurity     bool     `json:"port_security_enabled"`
	NetworkType      string   `json:"provider:network_type"`
	PhysicalNetwork  *string  `json:"provider:physical_network"`
	SegmentationID   *int     `json:"provider:segmentation_id"`
}

var networkKind = kind{
	one: "network", path: "networks", quota: "network",
	label: "Network", missing: "NetworkNotFound", absent: "could not be found.",
	creates: []string{"name", "admin_state_up", "description", "mtu", "availability_zone_hints",
		"port_security_enabled", "tenant_id", "project_id"},
	updates: []string{"name", "admin_state_up", "description", "mtu", "port_security_enabled"},
	admin: []string{"shared", "router:external", "is_default", "provider:network_type",
		"provider:physical_network", "provider:segmentation_id"},
	hidden:  []string{"provider:network_type", "provider:physical_network", "provider:segmentation_id"},
	filters: []string{"is_default"},
}

func (n *Neutron) newNetwork(owner string) Network {
	segment := 2000 + n.networkCount()
	return Network{
		standard: n.fresh(owner), AdminStateUp: true, MTU: 1450, Status: "ACTIVE", PortSecurity: true,
		ZoneHints: []string{}, Zones: []string{}, NetworkType: "vxlan", SegmentationID: &segment,
	}
}

// networkCount tells how many networks there are; none before the table is
// made.
func (n *Neutron) networkCount() int {
	if n.networks == nil {
		return 0
	}
	return len(n.networks.docs.List(nil))
}

func (n *Neutron) networkHooks() hooks[Network] {
	return hooks[Network]{
		blank: n.newNetwork,
		visible: func(who fabric.Identity, doc Network) bool {
			return who.Sees(doc.ProjectID) || doc.Shared || doc.External
		},
		create: func(_ fabric.Identity, doc *Network, _ input) error { return doc.check() },
		update: func(_ fabric.Identity, _ Network, doc *Network, _ input) error { return doc.check() },
		remove: n.removeNetwork,
		view: func(doc Network, shown object) {
			subnets := []any{}
			if n.subnets != nil {
				for _, s := range n.subnetsOf(doc.ID) {
					subnets = append(subnets, s.ID)
				}
			}
			shown["subnets"] = subnets
			if !doc.External {
				delete(shown, "is_default")
			}
		},
	}
}

func (doc *Network) check() error {
	if len(doc.Name) > 255 {
		return fabric.BadRequest("Invalid input for name. Reason: '%s' exceeds maximum length of 255.", doc.Name)
	}
	if doc.MTU == 0 {
		doc.MTU = 1450
	}
	if doc.ZoneHints == nil {
		doc.ZoneHints = []string{}
	}
	return nil
}

func (n *Neutron) subnetsOf(network string) []Subnet {
	return n.subnets.docs.List(func(s Subnet) bool { return s.NetworkID == network })
}

func (n *Neutron) portsOf(network string) []Port {
	return n.ports.docs.List(func(p Port) bool { return p.NetworkID == network })
}

// removeNetwork takes the subnets along, but not with ports in use.
func (n *Neutron) removeNetwork(_ fabric.Identity, doc Network) error {
	var used []string
	for _, p := range n.portsOf(doc.ID) {
		if p.DeviceOwner != "network:dhcp" {
			used = append(used, p.ID)
		}
	}
	if len(used) > 0 {
		slices.Sort(used)
		return fabric.Typed(http.StatusConflict, "NetworkInUse",
			"Unable to complete operation on network %s. There are one or more ports still in use on the network, id for these ports is: %s.",
			doc.ID, strings.Join(used, ","))
	}
	for _, s := range n.subnetsOf(doc.ID) {
		n.subnets.docs.Delete(s.ID)
	}
	for _, p := range n.portsOf(doc.ID) {
		n.ports.docs.Delete(p.ID)
	}
	return nil
}
