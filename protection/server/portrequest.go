package server

import (
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// The members of a port that only its network's owner may choose where the operator
// has Neutron's default policy; addressMember is the address within fixedMember. On
// another project's network they are refused with 403.
const (
	macMember      = "mac_address"
	addressMember  = "ip_address"
	fixedMember    = "fixed_ips"
	pairsMember    = "allowed_address_pairs"
	securityMember = "port_security_enabled"
)

// portRequest is what Neutron is asked for in the place of an original port: at
// first all, then less and less.
type portRequest struct {
	port port
	// ips are the addresses in the subnets that take the originals' places.
	ips []fixedIP
	// groups are the security groups.
	groups []string
	// forbidden are the members that the cloud does not let the tenant choose.
	forbidden map[string]bool
	// renewed are the members that the tenant wants anew.
	renewed map[string]bool
	// rung says what is left out as it is in use or does not fit: nothing, the
	// hardware address, the addresses, both.
	rung int
}

func (r *portRequest) hardware() bool {
	return r.port.MACAddress != "" && !r.forbidden[macMember] && !r.renewed[macMember] && r.rung%2 == 0
}

// subnets reports whether subnets are asked for, addresses whether also addresses in
// them.
func (r *portRequest) subnets() bool {
	return len(r.ips) > 0 && !r.forbidden[fixedMember] && r.rung < 2
}

func (r *portRequest) addresses() bool {
	return r.subnets() && !r.forbidden[addressMember] && !r.renewed[addressMember]
}

// open reports whether the original has no port security.
func (r *portRequest) open() bool { return r.port.open() }

func (p *port) open() bool { return p.PortSecurity != nil && !*p.PortSecurity }

func (r *portRequest) pairs() bool {
	return !r.open() && len(r.port.AllowedAddressPairs) > 0 && !r.forbidden[pairsMember]
}

// fill puts what is asked for into a body.
func (r *portRequest) fill(body map[string]any) {
	for _, member := range []string{macMember, fixedMember, pairsMember, securityMember, "security_groups"} {
		delete(body, member)
	}
	if r.hardware() {
		body[macMember] = r.port.MACAddress
	}
	if r.subnets() {
		ips := make([]fixedIP, 0, len(r.ips))
		for _, ip := range r.ips {
			if !r.addresses() {
				ip.IPAddress = ""
			}
			ips = append(ips, ip)
		}
		body[fixedMember] = ips
	}
	switch {
	case !r.open():
		body["security_groups"] = r.groups
	case !r.forbidden[securityMember]:
		body[securityMember] = false
	}
	if r.pairs() {
		body[pairsMember] = pairsOf(r.port)
	}
}

// less takes something off the request that was refused with err, and reports
// whether there was something that may have been the reason.
func (r *portRequest) less(err, explained error) bool {
	switch {
	case gophercloud.ResponseCodeIs(err, http.StatusForbidden) && karbor.KindOf(explained) != karbor.OverLimit:
		return r.forbid()
	case gophercloud.ResponseCodeIs(err, http.StatusBadRequest),
		gophercloud.ResponseCodeIs(err, http.StatusConflict) && karbor.KindOf(explained) != karbor.OverLimit:
		return r.descend()
	}
	return false
}

// forbid gives up the next member that the operator's policy may keep for the
// network's owner. Neutron's answer does not say which one it is.
func (r *portRequest) forbid() bool {
	for _, m := range []struct {
		name  string
		asked bool
	}{
		{macMember, r.hardware()}, {addressMember, r.addresses()}, {fixedMember, r.subnets()},
		{pairsMember, r.pairs()}, {securityMember, r.open() && !r.forbidden[securityMember]},
	} {
		if m.asked {
			r.forbidden[m.name] = true
			return true
		}
	}
	return false
}

// descend goes on to the next rung on which something else is asked for.
func (r *portRequest) descend() bool {
	hardware, subnets := r.hardware(), r.subnets()
	for r.rung < 3 {
		if r.rung == 1 && !subnets {
			return false // all that was asked for was the hardware address
		}
		r.rung++
		if r.hardware() != hardware || r.subnets() != subnets {
			return true
		}
	}
	return false
}

// lost gives a sentence for each thing that the port does not have.
func (r *portRequest) lost() []string {
	const (
		taken    = "it is in use or not allowed"
		unfit    = "it is in use or does not fit its network any more"
		reserved = "its network is another project's, and the cloud lets only the owner choose it"
	)
	why := func(member, other string) string {
		if r.forbidden[member] {
			return reserved
		}
		return other
	}
	var out []string
	if r.port.MACAddress != "" && !r.hardware() && !r.renewed[macMember] {
		out = append(out, fmt.Sprintf("The hardware address %s of the server's interface: %s.", r.port.MACAddress, why(macMember, taken)))
	}
	for _, ip := range r.port.FixedIPs {
		if len(r.ips) > 0 && !r.addresses() && !r.renewed[addressMember] {
			out = append(out, fmt.Sprintf("The address %s of the server: %s.", ip.IPAddress, why(addressMember, unfit)))
		}
	}
	if r.forbidden[pairsMember] {
		for _, pair := range r.port.AllowedAddressPairs {
			out = append(out, fmt.Sprintf("The address pair %s of the server's interface: %s.", pair.IPAddress, reserved))
		}
	}
	if r.forbidden[securityMember] {
		out = append(out, "The server's interface has port security and the security group default: its network is another project's, and the cloud lets only the owner switch port security off.")
	}
	return out
}
