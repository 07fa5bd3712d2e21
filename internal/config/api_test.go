package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheAPIsSettingsAreReadOverTheDefaults(t *testing.T) {
	c, err := Load(write(t, enough+`api:
  tls: {cert_file: /etc/karbor/tls.pem, key_file: /etc/karbor/tls.key}
  trusted_proxies: [192.0.2.7, 2001:db8::/32]
  access_log: false
  limits: {in_flight: 7, working: 3}
  timeouts: {read: 10s}
  rate_limit: {per_second: 2.5, burst: 10}
  shutdown_delay: 5s
`))
	if err != nil {
		t.Fatal(err)
	}
	want := defaultAPI()
	want.TLS = TLS{"/etc/karbor/tls.pem", "/etc/karbor/tls.key"}
	want.TrustedProxies = []string{"192.0.2.7", "2001:db8::/32"}
	want.AccessLog = false
	want.Limits.InFlight, want.Limits.Working = 7, 3
	want.Timeouts.Read = 10 * time.Second
	want.RateLimit = RateLimit{2.5, 10}
	want.ShutdownDelay = 5 * time.Second
	if d := cmp.Diff(want, c.API); d != "" {
		t.Error(d)
	}
	prefix := netip.MustParsePrefix
	if d := cmp.Diff([]netip.Prefix{prefix("192.0.2.7/32"), prefix("2001:db8::/32")}, c.API.Proxies(), cmp.Comparer(equal)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]netip.Prefix{prefix("127.0.0.0/8"), prefix("::1/128")}, c.API.Sources(), cmp.Comparer(equal)); d != "" {
		t.Error(d)
	}
}

func equal(a, b netip.Prefix) bool { return a == b }

func TestTheAPIsSettingsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"tls: {cert_file: /x}":                     "api.tls: ",
		"tls: {cert_file: x, key_file: /x}":        "api.tls.cert_file: ",
		"trusted_proxies: [proxy.example]":         "api.trusted_proxies[0]: ",
		"healthcheck_sources: [192.0.2.1, 10.0/8]": "api.healthcheck_sources[1]: ",
		"limits: {body_bytes: 10}":                 "api.limits.body_bytes: ",
		"limits: {header_bytes: 10}":               "api.limits.header_bytes: ",
		"limits: {in_flight: 0}":                   "api.limits.in_flight: ",
		"limits: {working: -1}":                    "api.limits.working: ",
		"limits: {connections: -1}":                "api.limits.connections: ",
		"timeouts: {idle: 1ms}":                    "api.timeouts.idle: ",
		"rate_limit: {per_second: -1}":             "api.rate_limit.per_second: ",
		"rate_limit: {burst: -1}":                  "api.rate_limit.burst: ",
		"shutdown_delay: -1s":                      "api.shutdown_delay: ",
		"shutdown_timeout: 0s":                     "api.shutdown_timeout: ",
		"tls: {certfile: /x}":                      "unknown field",
	} {
		if _, err := Load(write(t, enough+"api: {"+text+"}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Load(write(t, strings.Replace(enough, "keystone:\n", "keystone:\n  service_token_roles: []\n", 1))); err == nil {
		t.Error("no service role at all is taken")
	}
}
