package layout09

import (
	"maps"
	"slices"
	"strings"

	"github.com/karbor/karbor"
)

// topology is what was kept of a project's networks: all of it, whatever the node. The
// maps are by id.
type topology struct {
	Networks       map[string]network `json:"network_metadata"`
	Subnets        map[string]subnet  `json:"subnet_metadata"`
	Ports          map[string]port    `json:"port_metadata"`
	Routers        map[string]router  `json:"router_metadata"`
	SecurityGroups map[string]group   `json:"security-group_metadata"`
}

// networkDocument is what the network plug-in reads (karbor-network-protection-plugin).
type networkDocument struct {
	Project        bool      `json:"project"`
	Networks       []network `json:"networks"`
	Subnets        []subnet  `json:"subnets"`
	Routers        []router  `json:"routers"`
	SecurityGroups []group   `json:"security_groups"`
	Ports          []port    `json:"ports"`
}

// common are the members that all have. TenantID is the older name of ProjectID.
type common struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	ProjectID   string   `json:"project_id"`
	TenantID    string   `json:"tenant_id,omitempty"`
	Tags        []string `json:"tags"`
}

// named gives the members that may be missing.
func (c common) named(id, project string) common {
	c.ID = id
	c.ProjectID = first(c.ProjectID, c.TenantID, project)
	c.TenantID = ""
	return c
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

type network struct {
	common
	AdminStateUp          *bool    `json:"admin_state_up"`
	Shared                bool     `json:"shared"`
	External              bool     `json:"router:external"`
	MTU                   int      `json:"mtu,omitempty"`
	PortSecurity          *bool    `json:"port_security_enabled,omitempty"`
	AvailabilityZoneHints []string `json:"availability_zone_hints"`
}

type subnet struct {
	common
	NetworkID       string   `json:"network_id"`
	IPVersion       int      `json:"ip_version"`
	CIDR            string   `json:"cidr"`
	GatewayIP       *string  `json:"gateway_ip"`
	EnableDHCP      bool     `json:"enable_dhcp"`
	AllocationPools []pool   `json:"allocation_pools"`
	DNSNameservers  []string `json:"dns_nameservers"`
	HostRoutes      []route  `json:"host_routes"`
	IPv6AddressMode *string  `json:"ipv6_address_mode"`
	IPv6RAMode      *string  `json:"ipv6_ra_mode"`
}

type pool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type route struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

type router struct {
	common
	// AdminStateUp was not kept: it is true.
	AdminStateUp          bool            `json:"admin_state_up"`
	Gateway               *gateway        `json:"external_gateway_info"`
	Routes                []route         `json:"routes"`
	AvailabilityZoneHints []string        `json:"availability_zone_hints"`
	GatewayName           string          `json:"gateway_network_name,omitempty"`
	Interfaces            []interfacePort `json:"interfaces,omitempty"`
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
	Rules []rule `json:"security_group_rules"`
}

type rule struct {
	Description    string  `json:"description"`
	Direction      string  `json:"direction"`
	EtherType      string  `json:"ethertype"`
	Protocol       *string `json:"protocol"`
	PortRangeMin   *int    `json:"port_range_min"`
	PortRangeMax   *int    `json:"port_range_max"`
	RemoteIPPrefix *string `json:"remote_ip_prefix"`
	RemoteGroupID  *string `json:"remote_group_id"`
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
}

type addressPair struct {
	IPAddress  string `json:"ip_address"`
	MACAddress string `json:"mac_address,omitempty"`
}

// translated gives a port with the id that it is kept under.
func (p port) translated(id string) port {
	p.common = p.named(id, "")
	return p
}

// joinsRouter reports whether a port joins a subnet to a router.
func (p port) joinsRouter() bool {
	return strings.HasPrefix(p.DeviceOwner, "network:") && strings.Contains(p.DeviceOwner, "router") &&
		strings.Contains(p.DeviceOwner, "interface")
}

// network translates the networks of a project, or one of them with what hangs on it.
func (t *Contents) network(n *Node) (any, error) {
	var top topology
	if err := n.decode(&top); err != nil {
		return nil, err
	}
	wanted := n.Node.ID
	d := networkDocument{Project: wanted == t.ProjectID, Networks: []network{}}
	here := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(top.Networks)) {
		if d.Project || id == wanted {
			here[id] = true
			v := top.Networks[id]
			v.common = v.named(id, t.ProjectID)
			up := v.AdminStateUp == nil || *v.AdminStateUp
			v.AdminStateUp = &up
			d.Networks = append(d.Networks, v)
		}
	}
	if !d.Project && len(d.Networks) == 0 {
		return nil, karbor.Errorf(karbor.NotImplemented, "network %s was not kept: it was not the project's own", wanted)
	}
	for _, id := range slices.Sorted(maps.Keys(top.Subnets)) {
		if v := top.Subnets[id]; here[v.NetworkID] {
			v.common = v.named(id, t.ProjectID)
			if v.GatewayIP != nil && *v.GatewayIP == "" {
				v.GatewayIP = nil
			}
			d.Subnets = append(d.Subnets, v)
		}
	}
	t.addRouters(&d, top, here)
	t.addGroups(&d, top)
	for _, id := range slices.Sorted(maps.Keys(top.Ports)) {
		// The tenant's own: no server, router or other service makes them anew.
		if v := top.Ports[id]; here[v.NetworkID] && v.DeviceID == "" && v.DeviceOwner == "" {
			v.common = v.named(id, t.ProjectID)
			d.Ports = append(d.Ports, v)
		}
	}
	return d, nil
}

// addRouters adds the routers of the document's networks, all of a project's.
func (t *Contents) addRouters(d *networkDocument, top topology, here map[string]bool) {
	for _, id := range slices.Sorted(maps.Keys(top.Routers)) {
		v := top.Routers[id]
		v.common, v.AdminStateUp = v.named(id, t.ProjectID), true
		for _, port := range slices.Sorted(maps.Keys(top.Ports)) {
			if p := top.Ports[port]; p.DeviceID == id && p.joinsRouter() && here[p.NetworkID] {
				v.Interfaces = append(v.Interfaces, interfacePort{p.NetworkID, p.FixedIPs})
			}
		}
		if v.Gateway != nil && v.Gateway.NetworkID == "" {
			v.Gateway = nil
		}
		if v.Gateway != nil {
			v.GatewayName = top.Networks[v.Gateway.NetworkID].Name
		}
		if d.Project || len(v.Interfaces) > 0 {
			d.Routers = append(d.Routers, v)
		}
	}
}

// addGroups adds the security groups: all of them, as who uses one is not told by
// everything that was kept.
func (t *Contents) addGroups(d *networkDocument, top topology) {
	for _, id := range slices.Sorted(maps.Keys(top.SecurityGroups)) {
		v := top.SecurityGroups[id]
		v.common = v.named(id, t.ProjectID)
		d.SecurityGroups = append(d.SecurityGroups, v)
	}
}
