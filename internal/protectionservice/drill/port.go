package drill

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// drillPort is a port on a drill's network.
type drillPort struct {
	ID       string `json:"id"`
	Network  string `json:"network_id"`
	Device   string `json:"device_id"`
	Security *bool  `json:"port_security_enabled"`
	FixedIPs []struct {
		Subnet  string `json:"subnet_id"`
		Address string `json:"ip_address"`
	} `json:"fixed_ips"`
}

// port connects to a server through a floating address of the drill's own router, which lets
// nobody in but this host, and nothing out.
func (p *Prober) port(ctx context.Context, call *protection.Call, s Subject) (evidence.Probe, error) {
	o := s.Probes.Port
	found := evidence.Probe{Target: fmt.Sprintf("TCP port %d of server %s", o.Port, s.ID), Origin: "karbord, through a floating address"}
	n, err := newNeutron(ctx, call.Cloud)
	if err != nil {
		return found, err
	}
	leave, err := p.routers.Enter(ctx, call.OperationID)
	if err != nil {
		return found, err
	}
	floating, err := reach(ctx, site{n, call}, s.ID)
	leave()
	if err != nil {
		return found, err
	}
	source, err := p.source(floating.Address, o.Port)
	if err != nil {
		return found, err
	}
	found.Origin = "karbord at " + source + ", through the floating address " + floating.Address
	group, err := n.find(ctx, "security-groups", mark(call.OperationID, "security group"))
	if err != nil {
		return found, err
	}
	tcp, prefix := "tcp", netip.MustParseAddr(source)
	only := netip.PrefixFrom(prefix, prefix.BitLen()).String()
	err = site{n, call}.rule(ctx, rule{Group: group, Direction: "ingress", EtherType: "IPv4", Protocol: &tcp, Min: &o.Port, Max: &o.Port, Prefix: &only})
	if err != nil {
		return found, err
	}
	taken, last := p.connect(ctx, net.JoinHostPort(floating.Address, strconv.Itoa(o.Port)), o.Timeout)
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	if found.Result, found.Reason = evidence.Passed, "It took the connection."; !taken {
		found.Result, found.Reason = evidence.Failed, "It took no connection within "+seconds(o.Timeout)+": "+last+"."
	}
	return found, n.remove(ctx, "floatingips", floating.ID)
}

// floatingIP is an address that a server is reached by.
type floatingIP struct {
	ID      string `json:"id"`
	Address string `json:"floating_ip_address"`
}

// reach gives a server of a drill a floating address.
func reach(ctx context.Context, s site, server string) (floatingIP, error) {
	var none floatingIP
	port, subnet, err := s.portOf(ctx, server)
	if err != nil {
		return none, err
	}
	router, external, err := s.router(ctx)
	if err != nil {
		return none, err
	}
	if err := s.join(ctx, router, subnet); err != nil {
		return none, err
	}
	id, err := s.ensure(ctx, "floatingips", "floatingip", "address of "+server, map[string]any{"floating_network_id": external, "port_id": port})
	if err != nil {
		return none, err
	}
	var made floatingIP
	err = s.neutron.show(ctx, "floatingips", "floatingip", id, &made)
	return made, openstack.Explain(err, "reading the drill's floating address")
}

// portOf gives the port of a server on a network of the drill, and the subnet of its first IPv4
// address there. Where a port on the drill's networks is open, none is given: with a router it
// would reach the world.
func (s site) portOf(ctx context.Context, server string) (id, subnet string, err error) {
	networks, err := s.neutron.made(ctx, "networks", s.call.OperationID)
	if err != nil {
		return "", "", err
	}
	for _, network := range networks {
		ports, err := list[drillPort](ctx, s.neutron, "ports", url.Values{"network_id": {network.ID}})
		if err != nil {
			return "", "", err
		}
		for _, p := range ports {
			if p.Device != "" && p.Security != nil && !*p.Security && s.isServer(p.Device) {
				return "", "", karbor.Errorf(karbor.Conflict, "a server of the drill has a port without port security: with a router it could reach out")
			}
			for _, ip := range p.FixedIPs {
				if address, err := netip.ParseAddr(ip.Address); p.Device == server && id == "" && err == nil && address.Is4() {
					id, subnet = p.ID, ip.Subnet
				}
			}
		}
	}
	if id == "" {
		return "", "", karbor.Errorf(karbor.NotFound, "the server has no IPv4 address on a network of the drill")
	}
	return id, subnet, nil
}

// isServer reports whether a device is a server of the drill.
func (s site) isServer(device string) bool {
	return slices.ContainsFunc(s.call.Graph.Nodes(), func(n *karbor.Node) bool {
		return n.Type == karbor.ServerType && s.call.NewResources.ID(n.Key()) == device
	})
}

// router makes the drill's router, with a gateway in an external network.
func (s site) router(ctx context.Context) (id, external string, err error) {
	networks, err := list[thing](ctx, s.neutron, "networks", url.Values{"router:external": {"true"}})
	if err != nil {
		return "", "", err
	}
	if len(networks) == 0 {
		return "", "", karbor.Errorf(karbor.NotFound, "there is no external network for a floating address")
	}
	slices.SortFunc(networks, func(a, b thing) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	external = networks[0].ID
	id, err = s.ensure(ctx, "routers", "router", "router", map[string]any{
		"name": Name(s.call.OperationID), "external_gateway_info": map[string]any{"network_id": external},
	})
	return id, external, err
}

// join puts the router onto a subnet.
func (s site) join(ctx context.Context, router, subnet string) error {
	ports, err := list[drillPort](ctx, s.neutron, "ports", url.Values{"device_id": {router}})
	if err != nil {
		return err
	}
	for _, p := range ports {
		for _, ip := range p.FixedIPs {
			if ip.Subnet == subnet {
				return nil
			}
		}
	}
	err = s.neutron.put(ctx, map[string]any{"subnet_id": subnet}, "routers", router, "add_router_interface")
	return openstack.Explain(err, "joining the drill's router to its network")
}

// source gives the address that a server sees connections of this host come from.
func (p *Prober) source(address string, port int) (string, error) {
	if p.options.Source != "" {
		return p.options.Source, nil
	}
	// Nothing is sent: this only asks which way it would go.
	c, err := net.DialTimeout("udp", net.JoinHostPort(address, strconv.Itoa(port)), time.Second) //nolint:noctx // no packet is sent
	if err != nil {
		return "", karbor.Errorf(karbor.Unavailable, "this host has no way to the floating address %s", address)
	}
	defer func() { _ = c.Close() }()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return "", fmt.Errorf("reading the address of this host: %w", err)
	}
	return host, nil
}

// connect tries to connect until it succeeds or time is over, and gives the last reason.
func (p *Prober) connect(ctx context.Context, address string, timeout int) (taken bool, last string) {
	limited, cancel := context.WithTimeout(ctx, time.Duration(timeout)*time.Second)
	defer cancel()
	last = "nothing answered"
	err := openstack.Poll(limited, "the port", p.options.Poll, func(ctx context.Context) (bool, error) {
		c, err := p.options.Dial(ctx, "tcp", address)
		if err != nil {
			if refusedBy(err) {
				last = "the connection is refused"
			}
			return false, nil
		}
		return true, c.Close()
	})
	return err == nil, last
}

// refusedBy reports whether somebody is there who refuses.
func refusedBy(err error) bool { return strings.Contains(err.Error(), "connection refused") }
