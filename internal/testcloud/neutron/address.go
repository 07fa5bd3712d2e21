package neutron

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/google/uuid"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// isID tells whether s is a UUID.
func isID(s string) bool { return uuid.Validate(s) == nil }

// defaultPools are all hosts' addresses but the gateway's: one range, or two
// around it.
func defaultPools(prefix netip.Prefix, gateway *string) []Pool {
	first, last := prefix.Addr(), lastOf(prefix)
	if prefix.Addr().Is4() {
		if prefix.Bits() < 31 {
			first, last = first.Next(), last.Prev()
		}
	} else if prefix.Bits() < 127 {
		first = first.Next()
	}
	g, err := netip.ParseAddr(deref(gateway))
	if err != nil || g.Less(first) || last.Less(g) {
		return []Pool{{first.String(), last.String()}}
	}
	pools := []Pool{}
	if first.Less(g) {
		pools = append(pools, Pool{first.String(), g.Prev().String()})
	}
	if g.Less(last) {
		pools = append(pools, Pool{g.Next().String(), last.String()})
	}
	return pools
}

func lastOf(prefix netip.Prefix) netip.Addr {
	b := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// used are the addresses of a subnet that ports have.
func (n *Neutron) usedAddresses(subnet Subnet) map[string]bool {
	used := map[string]bool{}
	for _, p := range n.portsOf(subnet.NetworkID) {
		for _, ip := range p.FixedIPs {
			if ip.SubnetID == subnet.ID {
				used[ip.IPAddress] = true
			}
		}
	}
	return used
}

// freeAddress gives the lowest address of the pools that no port has.
func (n *Neutron) freeAddress(subnet Subnet) (string, bool) {
	used := n.usedAddresses(subnet)
	for _, p := range subnet.Pools {
		a, err1 := netip.ParseAddr(p.Start)
		end, err2 := netip.ParseAddr(p.End)
		if err1 != nil || err2 != nil {
			continue
		}
		for ; !end.Less(a); a = a.Next() {
			if !used[a.String()] {
				return a.String(), true
			}
		}
	}
	return "", false
}

// allocate works out a port's addresses: those that are asked for, or one of
// each IP version.
func (n *Neutron) allocate(network Network, wanted []FixedIP, asked bool, mac string) ([]FixedIP, error) {
	subnets := n.subnetsOf(network.ID)
	ips := []FixedIP{}
	var seen []string
	take := func(subnet Subnet, address string) error {
		ip, err := n.takeAddress(subnet, address, mac)
		if err == nil {
			ips, seen = append(ips, ip), append(seen, subnet.ID)
		}
		return err
	}
	for _, want := range wanted {
		subnet, err := pick(network, subnets, want)
		if err != nil {
			return nil, err
		}
		if err := take(subnet, want.IPAddress); err != nil {
			return nil, err
		}
	}
	got := map[int]bool{}
	for _, subnet := range subnets {
		if slices.Contains(seen, subnet.ID) {
			continue
		}
		// Whatever a port asks for, on a SLAAC subnet it has an address.
		if subnet.slaac() || !asked && !got[subnet.IPVersion] {
			if err := take(subnet, ""); err != nil {
				return nil, err
			}
			got[subnet.IPVersion] = got[subnet.IPVersion] || !subnet.slaac()
		}
	}
	return ips, nil
}

// pick finds the subnet that a wanted address is of.
func pick(network Network, subnets []Subnet, want FixedIP) (Subnet, error) {
	for _, s := range subnets {
		prefix, err := netip.ParsePrefix(s.CIDR)
		address, _ := netip.ParseAddr(want.IPAddress)
		if want.SubnetID == s.ID || want.SubnetID == "" && err == nil && prefix.Contains(address) {
			return s, nil
		}
	}
	if want.SubnetID != "" {
		return Subnet{}, badInput("Failed to create port on network %s, because fixed_ips included invalid subnet %s.", network.ID, want.SubnetID)
	}
	return Subnet{}, fabric.Typed(http.StatusBadRequest, "InvalidIpForNetwork",
		"IP address %s is not a valid IP for any of the subnets on the specified network.", want.IPAddress)
}

// takeAddress gives an address of the subnet: the one asked for, or a free
// one.
func (n *Neutron) takeAddress(subnet Subnet, address, mac string) (FixedIP, error) {
	if address == "" {
		if subnet.slaac() {
			own, err := eui64(subnet.CIDR, mac)
			return FixedIP{subnet.ID, own}, err
		}
		free, ok := n.freeAddress(subnet)
		if !ok {
			return FixedIP{}, fabric.Typed(http.StatusConflict, "IpAddressGenerationFailure",
				"No more IP addresses available on network %s.", subnet.NetworkID)
		}
		return FixedIP{subnet.ID, free}, nil
	}
	a, err := netip.ParseAddr(address)
	prefix, err2 := netip.ParsePrefix(subnet.CIDR)
	if err != nil || err2 != nil || !prefix.Contains(a) || a.Is4() && prefix.Bits() < 31 && (a == prefix.Addr() || a == lastOf(prefix)) {
		return FixedIP{}, fabric.Typed(http.StatusBadRequest, "InvalidIpForSubnet",
			"IP address %s is not a valid IP for the specified subnet.", address)
	}
	if n.usedAddresses(subnet)[a.String()] {
		return FixedIP{}, fabric.Typed(http.StatusConflict, "IpAddressAlreadyAllocated",
			"IP address %s already allocated in subnet %s", a, subnet.ID)
	}
	return FixedIP{subnet.ID, a.String()}, nil
}

// eui64 makes the address that a host with this MAC gives itself (RFC 4291).
func eui64(cidr, mac string) (string, error) {
	prefix, err := netip.ParsePrefix(cidr)
	hw, err2 := net.ParseMAC(mac)
	if err != nil || err2 != nil || len(hw) != 6 {
		return "", badInput("no address of %s can be made from %s.", cidr, mac)
	}
	b := prefix.Masked().Addr().As16()
	copy(b[8:], []byte{hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]})
	return netip.AddrFrom16(b).String(), nil
}

// newMAC gives a random MAC address with Neutron's base.
func newMAC() string {
	var b [3]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", b[0], b[1], b[2])
}
