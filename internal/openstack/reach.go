package openstack

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/karbor/karbor"
)

// Reach says where requests to other clouds may go: to their Keystones, to what is in
// their catalogues, and to where those redirect. Whoever owns another cloud chooses
// what its catalogue and its names lead to, so each request's host is checked before
// it is looked up, and each address that comes of that before it is connected to.
//
// A host must be listed. An address that is not public (loopback, link-local,
// private, and the like, RFC 6890) must be listed itself, as an address or in a
// network that is not larger than its kind's: 127.0.0.0/8 lists all loopback
// addresses, 0.0.0.0/0 lists none. nil reaches nothing. It is safe for concurrent use.
type Reach struct {
	hosts    map[string]bool
	domains  []string // with a dot before them
	networks []netip.Prefix
	// keystones are targets whose host is an address.
	keystones []netip.AddrPort
}

// NewReach makes a Reach. targets are URLs of Keystones: the host of one is listed,
// with every port, and an address in one with that port only if it is not public.
// others are host names, domains as "*.cloud.example", addresses and networks, each
// with every port. The error is karbor.Invalid and names the entry at fault.
func NewReach(targets, others []string) (*Reach, error) {
	r := &Reach{hosts: map[string]bool{}}
	for _, t := range targets {
		u, err := url.Parse(t)
		if err != nil || u.Hostname() == "" {
			return nil, karbor.Errorf(karbor.Invalid, "%q is not a URL", t)
		}
		ip, err := netip.ParseAddr(u.Hostname())
		if err != nil {
			r.hosts[hostName(u.Hostname())] = true
			continue
		}
		r.keystones = append(r.keystones, netip.AddrPortFrom(ip.Unmap(), portOf(u)))
	}
	for _, o := range others {
		if err := r.list(o); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Reach) list(entry string) error {
	if p, err := netip.ParsePrefix(entry); err == nil {
		r.networks = append(r.networks, p.Masked())
		return nil
	}
	if ip, err := netip.ParseAddr(entry); err == nil {
		ip = ip.Unmap()
		r.networks = append(r.networks, netip.PrefixFrom(ip, ip.BitLen()))
		return nil
	}
	name, whole := strings.CutPrefix(entry, "*")
	if name == "" || strings.ContainsAny(name, "*/: @") || whole && !strings.HasPrefix(name, ".") {
		return karbor.Errorf(karbor.Invalid, "%q is neither a host name, a domain such as *.cloud.example, an address nor a network", entry)
	}
	if whole {
		r.domains = append(r.domains, hostName(name))
	} else {
		r.hosts[hostName(name)] = true
	}
	return nil
}

func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// special are the addresses that are not public, and 168.63.129.16, which is public but
// stands for the host of a machine in Azure.
var special = func() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/128", "::1/128", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}()

// errBeyond is in every error of an address that may not be reached.
var errBeyond = errors.New("the address is not among those that requests to other clouds may go to")

// beyond is the error for a host. The address that its name stands for is not told:
// the name may have been chosen to find that out.
func beyond(host string) error {
	return &karbor.Error{
		Kind: karbor.Forbidden, Cause: errBeyond,
		Message: "the operator of this service does not allow it to connect to " + host,
	}
}

// host checks where a request is to go.
func (r *Reach) host(u *url.URL) error {
	if r == nil || u.Scheme != "http" && u.Scheme != "https" {
		return beyond(u.Host)
	}
	name := hostName(u.Hostname())
	if ip, err := netip.ParseAddr(name); err == nil {
		if r.lists(netip.AddrPortFrom(ip.Unmap(), portOf(u))) {
			return nil
		}
		return beyond(u.Host)
	}
	if r.hosts[name] || slices.ContainsFunc(r.domains, func(d string) bool { return strings.HasSuffix(name, d) }) {
		return nil
	}
	return beyond(u.Host)
}

// lists reports whether an address is listed as such.
func (r *Reach) lists(a netip.AddrPort) bool {
	kind := kindOf(a.Addr())
	for _, k := range r.keystones {
		if k.Addr() == a.Addr() && (kind == nil || k.Port() == a.Port()) {
			return true
		}
	}
	return slices.ContainsFunc(r.networks, func(p netip.Prefix) bool {
		return p.Contains(a.Addr()) && (kind == nil || p.Bits() >= kind.Bits())
	})
}

// kindOf gives the special addresses that one belongs to, nil for a public one.
func kindOf(ip netip.Addr) *netip.Prefix {
	for i, p := range special {
		if p.Contains(ip) {
			return &special[i]
		}
	}
	return nil
}

// connect checks an address before it is connected to; it is net.Dialer's Control.
func (r *Reach) connect(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return beyond("this address")
	}
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	if kindOf(a.Addr()) == nil || r.lists(a) { // the host was checked before
		return nil
	}
	return beyond("the address that this name stands for, which is not a public one")
}

// guard is the way to other clouds.
type guard struct {
	reach *Reach
	way   *http.Transport
}

// newGuard gives a way that goes where reach says, and is else as base.
func newGuard(reach *Reach, base *http.Transport, resolver *net.Resolver) *guard {
	way := base.Clone()
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: resolver, Control: reach.connect}
	way.DialContext, way.DialTLSContext = dialer.DialContext, nil
	way.Proxy = nil // what connects for us would look names up itself
	return &guard{reach, way}
}

// Guard gives a way that goes where r says, and is else as base: for what is not a cloud,
// but whose address a tenant chose.
func (r *Reach) Guard(base *http.Transport) http.RoundTripper { return newGuard(r, base, nil) }

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.reach.host(req.URL); err != nil {
		closeBody(req)
		return nil, err
	}
	return g.way.RoundTrip(req)
}
