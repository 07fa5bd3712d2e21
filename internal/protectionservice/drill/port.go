package drill

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
	"github.com/karbor/karbor/protection"
)

// drillPort is a port on a drill's network.
type drillPort struct {
	ID       string `json:"id"`
	Network  string `json:"network_id"`
	Device   string `json:"device_id"`
	Owner    string `json:"device_owner"`
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
	if call.NewResources.Part(openPorts) != "" {
		return found, openPort() // though it may not be there yet
	}
	if p.options.ExternalNetwork == "" {
		return found, karbor.Errorf(karbor.NotImplemented, "the service's operator has named no external network for drills (drills.external_network)")
	}
	n, err := newNeutron(ctx, call.Cloud)
	if err != nil {
		return found, err
	}
	var floating floatingIP
	// The probes of one drill have its router in common.
	err = call.InTurn(ctx, "drill's router", func(ctx context.Context) (err error) {
		floating, err = reach(ctx, site{n, call}, s.ID, p.options.ExternalNetwork)
		return err
	})
	if err != nil {
		return found, err
	}
	source, err := p.source(floating.Address, o.Port)
	if err != nil {
		return found, err
	}
	found.Origin = "karbord at " + source + ", through the floating address " + floating.Address
	group, err := n.find(ctx, "security-groups", Mark(call, "security group"))
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
	if err := n.remove(ctx, "floatingips", floating.ID); err != nil {
		return found, err
	}
	return found, call.Release(ctx, protection.HeldFloatingIP, floating.ID)
}

// floatingIP is an address that a server is reached by.
type floatingIP struct {
	ID      string `json:"id"`
	Address string `json:"floating_ip_address"`
}

// reach gives a server of a drill a floating address in an external network.
func reach(ctx context.Context, s site, server, external string) (floatingIP, error) {
	var none floatingIP
	port, subnet, err := s.portOf(ctx, server)
	if err != nil {
		return none, err
	}
	router, err := s.router(ctx, external)
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
	err = networking.Show(ctx, s.neutron.client, "floatingips", id, &made)
	return made, openstack.Explain(err, "reading the drill's floating address")
}

// portOf gives the port of a server on a network of the drill, and the subnet of its first IPv4
// address there. Where a port on the drill's networks is open, none is given: with a router it
// would reach the world. Ports of Neutron's own, such as a router's, are always open.
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
			if p.Security != nil && !*p.Security && !strings.HasPrefix(p.Owner, "network:") {
				return "", "", openPort()
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

// openPort is why a drill gets no router.
func openPort() error {
	return karbor.Errorf(karbor.Conflict, "a server of the drill has a port without port security: with a router it could reach out")
}

// router makes the drill's router, with a gateway in the external network.
func (s site) router(ctx context.Context, external string) (id string, err error) {
	return s.ensure(ctx, "routers", "router", "router", map[string]any{
		"name": Name(s.call.OperationID), "external_gateway_info": map[string]any{"network_id": external},
	})
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
