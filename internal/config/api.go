package config

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// API says how the API is served.
type API struct {
	TLS TLS `yaml:"tls"`
	// H2C lets clients speak HTTP/2 without TLS, such as a proxy on the same
	// machine.
	H2C bool `yaml:"h2c"`
	// TrustedProxies are addresses or networks (CIDR) of the proxies that are
	// believed when they say where a request came from.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// AccessLog writes one line for each request.
	AccessLog bool `yaml:"access_log"`
	// ShutdownDelay is how long /healthcheck says 503 before the API takes no more
	// connections; ShutdownTimeout is how long requests may go on then.
	ShutdownDelay   time.Duration `yaml:"shutdown_delay"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	Limits          Limits        `yaml:"limits"`
	Timeouts        Timeouts      `yaml:"timeouts"`
	RateLimit       RateLimit     `yaml:"rate_limit"`
	// HealthcheckSources are the addresses or networks from which /healthcheck shows
	// each check; administrators see them from everywhere.
	HealthcheckSources []string `yaml:"healthcheck_sources"`
}

// TLS names the certificate of the API, as PEM files. Both are read anew when they
// change. With none, the API speaks plain HTTP.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Limits bound what requests may take.
type Limits struct {
	// BodyBytes and HeaderBytes are of one request.
	BodyBytes   int64 `yaml:"body_bytes"`
	HeaderBytes int   `yaml:"header_bytes"`
	// InFlight is how many requests are served at a time, Working how many of them are
	// worked on, 0 leaving that to the service; Connections how many connections are open.
	InFlight    int `yaml:"in_flight"`
	Working     int `yaml:"working"`
	Connections int `yaml:"connections"`
}

// Timeouts bound how long a client may take.
type Timeouts struct {
	ReadHeader time.Duration `yaml:"read_header"`
	Read       time.Duration `yaml:"read"`
	Write      time.Duration `yaml:"write"`
	Idle       time.Duration `yaml:"idle"`
}

// RateLimit bounds the requests of each project; a PerSecond of 0 sets no bound.
type RateLimit struct {
	PerSecond float64 `yaml:"per_second"`
	// Burst is how many requests may come at once; 0 is one second's.
	Burst int `yaml:"burst"`
}

func defaultAPI() API {
	return API{
		AccessLog:       true,
		ShutdownTimeout: 30 * time.Second,
		Limits:          Limits{BodyBytes: 1 << 20, HeaderBytes: 32 << 10, InFlight: 256, Connections: 4096},
		Timeouts: Timeouts{
			ReadHeader: 10 * time.Second, Read: time.Minute, Write: 5 * time.Minute, Idle: 2 * time.Minute,
		},
		HealthcheckSources: []string{"127.0.0.0/8", "::1"},
	}
}

// check gives what is wrong with the values to fault.
func (a API) check(fault func(key, format string, args ...any)) {
	if (a.TLS.CertFile == "") != (a.TLS.KeyFile == "") {
		fault("api.tls", "cert_file and key_file are needed together")
	}
	for key, path := range map[string]string{"cert_file": a.TLS.CertFile, "key_file": a.TLS.KeyFile} {
		if path != "" && !filepath.IsAbs(path) {
			fault("api.tls."+key, "%q is not an absolute path", path)
		}
	}
	for key, list := range map[string][]string{"trusted_proxies": a.TrustedProxies, "healthcheck_sources": a.HealthcheckSources} {
		for i, text := range list {
			if _, err := network(text); err != nil {
				fault("api."+key+"["+strconv.Itoa(i)+"]", "%q is neither an address nor a network such as 192.0.2.0/24", text)
			}
		}
	}
	if a.ShutdownDelay < 0 {
		fault("api.shutdown_delay", "%v is below 0", a.ShutdownDelay)
	}
	if a.ShutdownTimeout < time.Second {
		fault("api.shutdown_timeout", "%v is less than a second", a.ShutdownTimeout)
	}
	a.Limits.check(fault)
	for key, d := range map[string]time.Duration{
		"read_header": a.Timeouts.ReadHeader, "read": a.Timeouts.Read, "write": a.Timeouts.Write, "idle": a.Timeouts.Idle,
	} {
		if d < time.Second {
			fault("api.timeouts."+key, "%v is less than a second", d)
		}
	}
	if a.RateLimit.PerSecond < 0 {
		fault("api.rate_limit.per_second", "%v is below 0", a.RateLimit.PerSecond)
	}
	if a.RateLimit.Burst < 0 {
		fault("api.rate_limit.burst", "%d is below 0", a.RateLimit.Burst)
	}
}

func (l Limits) check(fault func(key, format string, args ...any)) {
	for _, c := range []struct {
		key     string
		n       int64
		low, up int64
	}{
		{"body_bytes", l.BodyBytes, 1 << 10, 64 << 20},
		{"header_bytes", int64(l.HeaderBytes), 4 << 10, 1 << 20},
		{"in_flight", int64(l.InFlight), 1, 1 << 20},
		{"working", int64(l.Working), 0, 1 << 20},
		{"connections", int64(l.Connections), 1, 1 << 20},
	} {
		if c.n < c.low || c.n > c.up {
			fault("api.limits."+c.key, "%d is not in %d to %d", c.n, c.low, c.up)
		}
	}
}

// Proxies gives TrustedProxies as networks. The configuration was checked.
func (a API) Proxies() []netip.Prefix { return networks(a.TrustedProxies) }

// Sources gives HealthcheckSources as networks. The configuration was checked.
func (a API) Sources() []netip.Prefix { return networks(a.HealthcheckSources) }

func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if p, err := network(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// network reads a network, or an address as the network that has only that.
func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}
