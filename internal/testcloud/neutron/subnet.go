package neutron

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Pool is a range of addresses, both ends included.
type Pool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// Route is a way to a destination.
type Route struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

// Subnet is a subnet as the API shows it.
type Subnet struct {
	standard
	Name         string   `json:"name"`
	NetworkID    string   `json:"network_id"`
	IPVersion    int      `json:"ip_version"`
	SubnetPoolID *string  `json:"subnetpool_id"`
	EnableDHCP   bool     `json:"enable_dhcp"`
	RAMode       *string  `json:"ipv6_ra_mode"`
	AddressMode  *string  `json:"ipv6_address_mode"`
	GatewayIP    *string  `json:"gateway_ip"`
	CIDR         string   `json:"cidr"`
	Pools        []Pool   `json:"allocation_pools"`
	HostRoutes   []Route  `json:"host_routes"`
	Nameservers  []string `json:"dns_nameservers"`
	ServiceTypes []string `json:"service_types"`
}

var subnetKind = kind{
	one: "subnet", path: "subnets", quota: "subnet",
	label: "Subnet", missing: "SubnetNotFound", absent: "could not be found.",
	creates: []string{"name", "description", "network_id", "ip_version", "cidr", "gateway_ip", "allocation_pools",
		"dns_nameservers", "host_routes", "enable_dhcp", "ipv6_ra_mode", "ipv6_address_mode", "subnetpool_id",
		"tenant_id", "project_id"},
	updates: []string{"name", "description", "gateway_ip", "allocation_pools", "dns_nameservers", "host_routes", "enable_dhcp"},
	admin:   []string{"service_types"},
}

func (n *Neutron) newSubnet(owner string) Subnet {
	return Subnet{
		standard: n.fresh(owner), EnableDHCP: true,
		Pools: []Pool{}, HostRoutes: []Route{}, Nameservers: []string{}, ServiceTypes: []string{},
	}
}

func (n *Neutron) subnetHooks() hooks[Subnet] {
	return hooks[Subnet]{
		blank: n.newSubnet,
		visible: func(who fabric.Identity, doc Subnet) bool {
			if who.Sees(doc.ProjectID) {
				return true
			}
			network, _ := n.networks.docs.Get(doc.NetworkID)
			return network.Shared
		},
		create: n.createSubnet,
		update: func(_ fabric.Identity, _ Subnet, doc *Subnet, _ input) error {
			doc.fill()
			return doc.checkPools()
		},
		remove: n.removeSubnet,
	}
}

func (n *Neutron) createSubnet(who fabric.Identity, doc *Subnet, in input) error {
	for _, name := range []string{"network_id", "ip_version"} {
		if !in.has(name) {
			return fabric.BadRequest("Failed to parse request. Required attribute '%s' not specified", name)
		}
	}
	if !isID(doc.NetworkID) {
		return fabric.BadRequest("Invalid input for network_id. Reason: '%s' is not a valid UUID.", doc.NetworkID)
	}
	network, err := n.networks.find(who, doc.NetworkID)
	if err != nil {
		return err
	}
	if network.ProjectID != who.ProjectID && !who.Admin() {
		return n.networks.notFound(doc.NetworkID)
	}
	if doc.CIDR == "" {
		return badInput("a subnetpool must be specified in the absence of a cidr.")
	}
	if err := doc.complete(in.null("gateway_ip")); err != nil {
		return err
	}
	own := netip.MustParsePrefix(doc.CIDR)
	for _, other := range n.subnetsOf(doc.NetworkID) {
		if prefix, err := netip.ParsePrefix(other.CIDR); err == nil && prefix.Overlaps(own) {
			return badInput("Requested subnet with cidr: %s for network: %s overlaps with another subnet.", doc.CIDR, doc.NetworkID)
		}
	}
	n.touchNetwork(doc.NetworkID)
	return nil
}

func (n *Neutron) touchNetwork(id string) {
	if network, ok := n.networks.docs.Get(id); ok {
		n.networks.keep(network)
	}
}

func badInput(format string, args ...any) error {
	return fabric.Typed(http.StatusBadRequest, "InvalidInput", "Invalid input for operation: %s", fmt.Sprintf(format, args...))
}

// complete checks the CIDR and works out gateway and allocation pools where
// the request says nothing of them.
func (doc *Subnet) complete(noGateway bool) error {
	prefix, err := netip.ParsePrefix(doc.CIDR)
	if err != nil {
		return badInput("%s is not in a CIDR format.", doc.CIDR)
	}
	prefix = prefix.Masked()
	doc.CIDR = prefix.String()
	if prefix.Addr().Is4() != (doc.IPVersion == 4) {
		return badInput("%s does not match the ip_version '%d'", doc.CIDR, doc.IPVersion)
	}
	doc.fill()
	switch {
	case noGateway:
		doc.GatewayIP = nil
	case doc.GatewayIP == nil && doc.IPVersion == 6 && doc.slaac():
		doc.GatewayIP = new(prefix.Addr().String())
	case doc.GatewayIP == nil && prefix.Bits() < prefix.Addr().BitLen():
		doc.GatewayIP = new(prefix.Addr().Next().String())
	}
	if len(doc.Pools) == 0 {
		doc.Pools = defaultPools(prefix, doc.GatewayIP)
	}
	return doc.checkPools()
}

// fill makes lists of what the request set to null.
func (doc *Subnet) fill() {
	if doc.Pools == nil {
		doc.Pools = []Pool{}
	}
	if doc.HostRoutes == nil {
		doc.HostRoutes = []Route{}
	}
	if doc.Nameservers == nil {
		doc.Nameservers = []string{}
	}
}

// slaac tells whether hosts make their addresses from their MAC.
func (doc *Subnet) slaac() bool {
	return doc.AddressMode != nil && (*doc.AddressMode == "slaac" || *doc.AddressMode == "dhcpv6-stateless")
}

func (doc *Subnet) checkPools() error {
	prefix, err := netip.ParsePrefix(doc.CIDR)
	if err != nil {
		return badInput("%s is not in a CIDR format.", doc.CIDR)
	}
	if doc.GatewayIP != nil {
		if _, err := netip.ParseAddr(*doc.GatewayIP); err != nil {
			return fabric.BadRequest("Invalid input for gateway_ip. Reason: '%s' is not a valid IP address.", *doc.GatewayIP)
		}
	}
	for _, p := range doc.Pools {
		start, err1 := netip.ParseAddr(p.Start)
		end, err2 := netip.ParseAddr(p.End)
		if err1 != nil || err2 != nil || end.Less(start) {
			return fabric.Typed(http.StatusBadRequest, "InvalidAllocationPool", "The allocation pool %s-%s is not valid.", p.Start, p.End)
		}
		if !prefix.Contains(start) || !prefix.Contains(end) {
			return fabric.Typed(http.StatusBadRequest, "OutOfBoundsAllocationPool",
				"The allocation pool %s-%s spans beyond the subnet cidr %s.", p.Start, p.End, doc.CIDR)
		}
		if gateway, err := netip.ParseAddr(deref(doc.GatewayIP)); err == nil && !gateway.Less(start) && !end.Less(gateway) {
			return fabric.Typed(http.StatusConflict, "GatewayConflictWithAllocationPools",
				"Gateway ip %s conflicts with allocation pool %s-%s.", gateway, p.Start, p.End)
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// removeSubnet refuses while a port has an address of it; those that hosts
// make themselves go with the subnet.
func (n *Neutron) removeSubnet(_ fabric.Identity, doc Subnet) error {
	for _, p := range n.portsOf(doc.NetworkID) {
		for _, ip := range p.FixedIPs {
			if ip.SubnetID == doc.ID && (!doc.slaac() || p.DeviceOwner == routerInterface) {
				return fabric.Typed(http.StatusConflict, "SubnetInUse",
					"Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.", doc.ID)
			}
		}
	}
	for _, p := range n.portsOf(doc.NetworkID) {
		if kept := without(p.FixedIPs, doc.ID); len(kept) < len(p.FixedIPs) {
			p.FixedIPs = kept
			n.ports.keep(p)
		}
	}
	n.touchNetwork(doc.NetworkID)
	return nil
}
