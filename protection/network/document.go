package network

import (
	"slices"
	"strings"

	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the networks.
const documentKey = "metadata"

// document is a topology. It lies in the bank: members are only ever added. The
// members of its parts have Neutron's names and meaning.
type document struct {
	// Project says that it is the whole topology of a project.
	Project        bool      `json:"project"`
	Networks       []network `json:"networks"`
	Subnets        []subnet  `json:"subnets"`
	Routers        []router  `json:"routers"`
	SecurityGroups []group   `json:"security_groups"`
	Ports          []port    `json:"ports"`
	// Outside are the ids of the subnets and security groups that the parts refer to and
	// that were never to be in the document: another project's, say. It is nil in older
	// documents, of which nobody knows that.
	Outside []string `json:"outside,omitzero"`
}

// common are the members that all but rules have.
type common struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	ProjectID   string   `json:"project_id"`
	Tags        []string `json:"tags"`
}

type network struct {
	common
	AdminStateUp          bool     `json:"admin_state_up"`
	Shared                bool     `json:"shared"`
	External              bool     `json:"router:external"`
	MTU                   int      `json:"mtu,omitempty"`
	PortSecurity          *bool    `json:"port_security_enabled,omitempty"`
	DNSDomain             string   `json:"dns_domain,omitempty"`
	QoSPolicyID           *string  `json:"qos_policy_id,omitempty"`
	AvailabilityZoneHints []string `json:"availability_zone_hints"`
}

type subnet struct {
	common
	NetworkID       string           `json:"network_id"`
	IPVersion       int              `json:"ip_version"`
	CIDR            string           `json:"cidr"`
	GatewayIP       *string          `json:"gateway_ip"`
	EnableDHCP      bool             `json:"enable_dhcp"`
	AllocationPools []allocationPool `json:"allocation_pools"`
	DNSNameservers  []string         `json:"dns_nameservers"`
	HostRoutes      []hostRoute      `json:"host_routes"`
	IPv6AddressMode *string          `json:"ipv6_address_mode"`
	IPv6RAMode      *string          `json:"ipv6_ra_mode"`
	ServiceTypes    []string         `json:"service_types,omitempty"`
}

type allocationPool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type hostRoute struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

type router struct {
	common
	AdminStateUp          bool        `json:"admin_state_up"`
	Gateway               *gateway    `json:"external_gateway_info"`
	Routes                []hostRoute `json:"routes"`
	AvailabilityZoneHints []string    `json:"availability_zone_hints"`
	// GatewayName is the external network's name, by which it is found in
	// another cloud. Interfaces are those on the networks of the document.
	GatewayName string          `json:"gateway_network_name,omitempty"`
	Interfaces  []interfacePort `json:"interfaces,omitempty"`
}

type gateway struct {
	NetworkID  string    `json:"network_id"`
	EnableSNAT *bool     `json:"enable_snat,omitempty"`
	FixedIPs   []fixedIP `json:"external_fixed_ips,omitempty"`
}

type interfacePort struct {
	NetworkID string    `json:"network_id"`
	FixedIPs  []fixedIP `json:"fixed_ips"`
}

type fixedIP struct {
	SubnetID  string `json:"subnet_id,omitempty"`
	IPAddress string `json:"ip_address,omitempty"`
}

type group struct {
	common
	Stateful *bool  `json:"stateful,omitempty"`
	Rules    []rule `json:"security_group_rules"`
}

// rule is a rule of a security group. ID is empty in the document.
type rule struct {
	ID                   string  `json:"id,omitempty"`
	Description          string  `json:"description"`
	Direction            string  `json:"direction"`
	EtherType            string  `json:"ethertype"`
	Protocol             *string `json:"protocol"`
	PortRangeMin         *int    `json:"port_range_min"`
	PortRangeMax         *int    `json:"port_range_max"`
	RemoteIPPrefix       *string `json:"remote_ip_prefix"`
	RemoteGroupID        *string `json:"remote_group_id"`
	RemoteAddressGroupID *string `json:"remote_address_group_id,omitempty"`
}

type port struct {
	common
	NetworkID           string        `json:"network_id"`
	MACAddress          string        `json:"mac_address"`
	AdminStateUp        bool          `json:"admin_state_up"`
	DeviceID            string        `json:"device_id"`
	DeviceOwner         string        `json:"device_owner"`
	FixedIPs            []fixedIP     `json:"fixed_ips"`
	SecurityGroups      []string      `json:"security_groups"`
	AllowedAddressPairs []addressPair `json:"allowed_address_pairs"`
	PortSecurity        *bool         `json:"port_security_enabled,omitempty"`
	VNICType            string        `json:"binding:vnic_type,omitempty"`
}

type addressPair struct {
	IPAddress  string `json:"ip_address"`
	MACAddress string `json:"mac_address,omitempty"`
}

// isRouterInterface reports whether a port joins a subnet to a router.
func (p *port) isRouterInterface() bool {
	return strings.HasPrefix(p.DeviceOwner, "network:") && strings.Contains(p.DeviceOwner, "router") &&
		strings.Contains(p.DeviceOwner, "interface")
}

// originalTag is the tag that names, on a restored part, the one whose place it
// takes. It has 46 bytes.
func originalTag(id string) string { return "karbor-id-" + id }

// untagged gives tags without Karbor's own, sorted.
func untagged(tags []string) []string {
	out := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return strings.HasPrefix(t, "karbor-") })
	slices.Sort(out)
	return out
}

// marks are the descriptions of what is made for an original, until the restore is done with it. It
// is born with the first: Neutron has no call that makes a thing and tags it.
func marks(call *protection.Call, original string) []string {
	return call.RestoringTexts(protection.OwnerMark(call.Owner) + "-" + original)
}
