package neutron

import (
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Gateway is a router's way to an external network.
type Gateway struct {
	NetworkID  string    `json:"network_id"`
	EnableSNAT *bool     `json:"enable_snat"`
	FixedIPs   []FixedIP `json:"external_fixed_ips"`
}

// Router is a router as the API shows it.
type Router struct {
	standard
	Name         string   `json:"name"`
	AdminStateUp bool     `json:"admin_state_up"`
	Status       string   `json:"status"`
	Gateway      *Gateway `json:"external_gateway_info"`
	ZoneHints    []string `json:"availability_zone_hints"`
	Zones        []string `json:"availability_zones"`
	Routes       []Route  `json:"routes"`
	FlavorID     *string  `json:"flavor_id"`
	Distributed  bool     `json:"distributed"`
	HA           bool     `json:"ha"`
}

var routerKind = kind{
	one: "router", path: "routers", quota: "router",
	label: "Router", missing: "RouterNotFound", absent: "could not be found",
	creates: []string{"name", "description", "admin_state_up", "external_gateway_info", "availability_zone_hints",
		"flavor_id", "tenant_id", "project_id"},
	updates: []string{"name", "description", "admin_state_up", "external_gateway_info", "routes"},
	admin:   []string{"distributed", "ha"},
	hidden:  []string{"distributed", "ha"},
}

func (n *Neutron) newRouter(owner string) Router {
	return Router{
		standard: n.fresh(owner), AdminStateUp: true, Status: "ACTIVE",
		ZoneHints: []string{}, Zones: []string{}, Routes: []Route{},
	}
}

func (n *Neutron) routerHooks() hooks[Router] {
	return hooks[Router]{
		blank:   n.newRouter,
		visible: func(who fabric.Identity, doc Router) bool { return who.Sees(doc.ProjectID) },
		create: func(who fabric.Identity, doc *Router, _ input) error {
			if doc.ZoneHints == nil {
				doc.ZoneHints = []string{}
			}
			return n.setGateway(who, nil, doc)
		},
		update: func(who fabric.Identity, old Router, doc *Router, in input) error {
			if doc.Routes == nil {
				doc.Routes = []Route{}
			}
			if !in.has("external_gateway_info") {
				return nil
			}
			return n.setGateway(who, old.Gateway, doc)
		},
		remove: n.removeRouter,
	}
}

// setGateway makes, moves or drops the gateway port.
func (n *Neutron) setGateway(who fabric.Identity, old *Gateway, doc *Router) error {
	g := doc.Gateway
	if g != nil && g.NetworkID == "" {
		g = nil
	}
	if g != nil && old != nil && g.NetworkID == old.NetworkID {
		if g.EnableSNAT == nil {
			g.EnableSNAT = old.EnableSNAT
		}
		if len(g.FixedIPs) == 0 {
			g.FixedIPs = old.FixedIPs
		}
		doc.Gateway = g
		return nil
	}
	if old != nil {
		if n.gatewayNeeded(doc.ID) {
			return fabric.Typed(http.StatusConflict, "RouterExternalGatewayInUseByFloatingIp",
				"Gateway cannot be updated for router %s, since a gateway to external network %s is required by one or more floating IPs.",
				doc.ID, old.NetworkID)
		}
		n.dropGatewayPort(doc.ID)
	}
	doc.Gateway = g
	if g == nil {
		return nil
	}
	network, err := n.networks.find(who, g.NetworkID)
	if err != nil {
		return err
	}
	if !network.External {
		return fabric.Typed(http.StatusBadRequest, "BadRequest", "Bad router request: Network %s is not an external network.", g.NetworkID)
	}
	port := n.newPort("")
	port.NetworkID, port.MACAddress, port.PortSecurity = network.ID, newMAC(), false
	port.DeviceID, port.DeviceOwner, port.Status = doc.ID, routerGateway, "ACTIVE"
	if port.FixedIPs, err = n.allocate(network, g.FixedIPs, len(g.FixedIPs) > 0, port.MACAddress); err != nil {
		return err
	}
	n.ports.docs.Put(port.ID, port)
	g.FixedIPs = port.FixedIPs
	if g.EnableSNAT == nil {
		yes := true
		g.EnableSNAT = &yes
	}
	return nil
}

func (n *Neutron) gatewayNeeded(router string) bool {
	return len(n.floating.docs.List(func(f FloatingIP) bool { return deref(f.RouterID) == router })) > 0
}

func (n *Neutron) dropGatewayPort(router string) {
	for _, p := range n.ports.docs.List(func(p Port) bool { return p.DeviceID == router && p.DeviceOwner == routerGateway }) {
		n.ports.docs.Delete(p.ID)
	}
}

func (n *Neutron) interfacesOf(router string) []Port {
	return n.ports.docs.List(func(p Port) bool { return p.DeviceID == router && p.DeviceOwner == routerInterface })
}

func (n *Neutron) removeRouter(_ fabric.Identity, doc Router) error {
	var used []string
	for _, p := range n.interfacesOf(doc.ID) {
		used = append(used, p.ID)
	}
	if len(used) > 0 {
		slices.Sort(used)
		return fabric.Typed(http.StatusConflict, "RouterInUse", "Router %s has ports still attached: %s", doc.ID, strings.Join(used, ", "))
	}
	n.dropGatewayPort(doc.ID)
	return nil
}
