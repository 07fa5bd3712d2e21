package api

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// origin is where a request came from, and the address that the client used.
type origin struct {
	scheme, host string
	// prefix is what a proxy took off the path.
	prefix string
	client netip.Addr
}

// proxies are the networks whose hosts are believed when they tell of a request's
// origin. From all others, such headers are nothing but text.
type proxies []netip.Prefix

func (p proxies) has(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(net netip.Prefix) bool { return net.Contains(a) })
}

// hop is what one proxy says of the request that it got.
type hop struct{ from, proto, host string }

// origin finds where a request came from. It goes back from the connection's other
// end for as long as that is a proxy which is believed.
func (p proxies) origin(r *http.Request) origin {
	o := origin{scheme: "http", host: r.Host, client: address(r.RemoteAddr)}
	if r.TLS != nil {
		o.scheme = "https"
	}
	if !p.has(o.client) {
		return o
	}
	if prefix := r.Header.Get("X-Forwarded-Prefix"); isPrefix.MatchString(prefix) {
		o.prefix = strings.TrimSuffix(prefix, "/")
	}
	for _, h := range slices.Backward(hops(r.Header)) {
		if !p.has(o.client) {
			break
		}
		o.take(h)
	}
	return o
}

var (
	isPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+/?$`)
	isHost   = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

func (o *origin) take(h hop) {
	if proto := strings.ToLower(h.proto); proto == "http" || proto == "https" {
		o.scheme = proto
	}
	if isHost.MatchString(h.host) {
		o.host = h.host
	}
	// An obfuscated or unknown node ends the walk: nothing behind it can be
	// judged.
	o.client = address(h.from)
}

// hops gives what the proxies say, the nearest last: of Forwarded (RFC 7239) if it is
// there, else of the X-Forwarded headers.
func hops(h http.Header) []hop {
	if lines := h.Values("Forwarded"); len(lines) > 0 {
		var out []hop
		for _, element := range splitQuoted(strings.Join(lines, ","), ',') {
			out = append(out, forwarded(element))
		}
		return out
	}
	from, proto, host := listed(h, "X-Forwarded-For"), listed(h, "X-Forwarded-Proto"), listed(h, "X-Forwarded-Host")
	out := make([]hop, max(len(from), min(1, len(proto)+len(host))))
	for i := range out {
		if i < len(from) {
			out[i].from = from[i]
		}
		// Some proxies add to these headers, and some set them: a single one tells
		// of the client.
		out[i].proto, out[i].host = aligned(proto, i, len(out)), aligned(host, i, len(out))
	}
	return out
}

func aligned(list []string, i, n int) string {
	switch len(list) {
	case n:
		return list[i]
	case 0:
		return ""
	default:
		return list[len(list)-1]
	}
}

// listed gives the entries of a header that is a list.
func listed(h http.Header, name string) []string {
	text := strings.Join(h.Values(name), ",")
	if text == "" {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		out = append(out, strings.TrimSpace(part))
	}
	return out
}

// forwarded reads one element of a Forwarded header.
func forwarded(element string) hop {
	var h hop
	for _, pair := range splitQuoted(element, ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "for":
			h.from = value
		case "proto":
			h.proto = value
		case "host":
			h.host = value
		}
	}
	return h
}

// splitQuoted splits a text at sep, but not within quotation marks.
func splitQuoted(s string, sep rune) []string {
	quoted := false
	return strings.FieldsFunc(s, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == sep && !quoted
	})
}

// address reads the address of a node, with or without a port; the zero Addr stands
// for one that can't be read.
func address(s string) netip.Addr {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
