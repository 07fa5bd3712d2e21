//go:build temporal && !multihost

package scaleout

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor/bank/banktest/versitygw"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/store/storetest/servers"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// outage takes something away, and brings it back.
type outage struct {
	begin, end func()
	// holds keeps the transfers held until it is over. Where it is false they are let go in its
	// middle: what they need next is away.
	holds bool
}

// patientFile is the provider of images whose waits outlast an outage, with BANK for its bank; s3Bank is
// one behind a line at ENDPOINT.
const (
	patientFile = `id: ` + imageProvider + `
name: bank
bank: BANK
repository: {keys: [{file: %[1]s/bank.key}]}
plugins:
  - plugin: karbor-image-protection-plugin
    options: {poll_interval: 50ms}
`
	fileBank = `{plugin: karbor-file-bank, options: {path: %[1]s/bank}}`
	s3Bank   = `
  plugin: karbor-s3-bank
  options:
    endpoint: http://ENDPOINT
    bucket: bank
    credentials: {access_key_id: ` + versitygw.AccessKeyID + `, secret_access_key_file: %[1]s/s3.secret}`
)

// fragile is a site of which something can be away.
type fragile struct {
	*tenant
	ways map[string]outage
}

// newFragile makes a site with its processes, of which each of some things can be away.
func newFragile(t *testing.T, engine string, server *servers.Server, names ...string) *fragile {
	t.Helper()
	f := &fragile{tenant: &tenant{site: newSiteOn(t, server)}, ways: map[string]outage{}}
	f.provide("bank", strings.Replace(patientFile, "BANK", fileBank, 1))
	edits := []func(*config.Config){func(c *config.Config) { c.Engine.Type = engine }}
	for _, name := range names {
		edits = append(edits, f.line(name))
	}
	edit := func(c *config.Config) {
		for _, e := range edits {
			e(c)
		}
	}
	f.start("api", roleAPI, edit)
	f.start("one", roleProtection, edit)
	f.tenant = f.site.tenant()
	return f
}

// line makes what may be away reachable through what can be cut, and gives the settings of it.
func (f *fragile) line(name string) func(*config.Config) {
	f.t.Helper()
	cut := func(to string, holds bool) string {
		l := newLine(f.t, to)
		f.ways[name] = outage{begin: l.cut, end: l.join, holds: holds}
		return l.address
	}
	switch name {
	case "database":
		_, rest, _ := strings.Cut(f.config.Database.URL, "@")
		host, _, _ := strings.Cut(rest, "/")
		database := cut(host, true)
		return func(c *config.Config) { c.Database.URL = strings.Replace(c.Database.URL, host, database, 1) }
	case "engine":
		engine := cut(f.config.Engine.Temporal.Address, false)
		return func(c *config.Config) { c.Engine.Temporal.Address = engine }
	case "bank":
		endpoint := strings.TrimPrefix(versitygw.Start(f.t, "bank"), "http://")
		f.write("s3.secret", versitygw.SecretAccessKey)
		at := strings.Replace(s3Bank, "ENDPOINT", cut(endpoint, false), 1)
		f.provide("bank", strings.Replace(patientFile, "BANK", at, 1))
	case "Keystone":
		f.ways[name] = f.keystone()
	}
	return func(*config.Config) {}
}

// keystone has Keystone away, with the tokens that all have: nobody gets on with those.
func (f *fragile) keystone() outage {
	var fault string
	return outage{
		begin: func() {
			var err error
			if fault, err = f.cloud.Faults().Add(fabric.Fault{Service: "keystone", Status: http.StatusServiceUnavailable}); err != nil {
				f.t.Fatal(err)
			}
			f.cloud.Keystone().EndTokens()
		},
		end: func() { f.cloud.Faults().Remove(fault) },
	}
}

// write writes a file into the site's folder.
func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// stopped holds the transfers of images from and to the cloud.
type stopped struct {
	site   *site
	faults map[string]string
}

// stop holds each transfer until it is let go.
func (s *site) stop() *stopped {
	s.t.Helper()
	out := &stopped{site: s, faults: map[string]string{}}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		id, err := s.cloud.Faults().Add(fabric.Fault{Service: "glance", Method: method, Path: ofBytes, Answer: fabric.AnswerHang})
		if err != nil {
			s.t.Fatal(err)
		}
		out.faults[id] = method
	}
	return out
}

// both reports whether transfers in both directions were held.
func (h *stopped) both() bool {
	n := 0
	for _, f := range h.site.cloud.Faults().List() {
		if h.faults[f.ID] != "" && f.Acted > 0 {
			n++
		}
	}
	return n == len(h.faults)
}

// letGo lets them go on.
func (h *stopped) letGo() {
	for id := range h.faults {
		h.site.cloud.Faults().Remove(id)
	}
}
