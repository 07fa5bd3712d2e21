//go:build openstack

package failure

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// The same as for the simulated cloud, on a real OpenStack, which all sites share.
const (
	slowness     = 5
	cloudTimeout = 30 * time.Second
	pace         = "poll_interval: 500ms, timeout: 10m"
	together     = "1"
	settle       = 0
	watcher      = "demo" // others are at work in other projects
	everywhere   = ""
)

// openRCs are the files that take the place of the simulated cloud's users.
var openRCs = map[string]string{"demo": "openrc-gamma", "other": "openrc-beta", "admin": "openrc-admin", "karbor": "openrc-karbor"}

// cloud is a real OpenStack. It can't be made to go wrong.
type cloud struct {
	auth  string
	users map[string]testcloud.User
	// bases are the addresses of the services, by the first word of the simulated cloud's paths.
	bases  map[string]string
	faults fabric.Faults
}

// openCloud logs all users in once.
func (s *site) openCloud() {
	s.t.Helper()
	s.cloud = &cloud{users: map[string]testcloud.User{}, bases: map[string]string{}}
	for name, file := range openRCs {
		s.cloud.know(s.t, name, testcloudtest.OpenRC(s.t, file))
	}
	// What others have there stays.
	s.earlier = s.inventory()
}

// know logs a user in by name, and learns from Keystone who that is and where all is.
func (c *cloud) know(t testing.TB, name string, env map[string]string) {
	t.Helper()
	c.auth = env["OS_AUTH_URL"]
	c.bases["v3"] = strings.TrimSuffix(c.auth, "/v3")
	domain := map[string]string{"id": "default"}
	a := c.Do(t, "", "POST", "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"name": env["OS_USERNAME"], "domain": domain, "password": env["OS_PASSWORD"]}}},
		"scope": map[string]any{"project": map[string]any{"name": env["OS_PROJECT_NAME"], "domain": domain}},
	}})
	var body struct {
		Token struct {
			User, Project struct{ ID string }
			Catalog       []struct {
				Type      string
				Endpoints []struct{ Interface, URL string }
			}
		}
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || a.Status != http.StatusCreated {
		t.Fatalf("logging %s in: %d %s", name, a.Status, a.Body)
	}
	c.users[name] = testcloud.User{
		ID: body.Token.User.ID, Name: env["OS_USERNAME"], Password: env["OS_PASSWORD"],
		ProjectID: body.Token.Project.ID, ProjectName: env["OS_PROJECT_NAME"],
	}
	words := map[string]string{"image": "image", "volumev3": "volume", "compute": "compute", "network": "network"}
	for _, service := range body.Token.Catalog {
		for _, e := range service.Endpoints {
			if word := words[service.Type]; word != "" && e.Interface == "public" {
				base, err := url.Parse(e.URL)
				if err != nil {
					t.Fatal(err)
				}
				c.bases[word] = base.Scheme + "://" + base.Host
			}
		}
	}
}

// URL is the address of Keystone.
func (c *cloud) URL() string { return c.auth }

// User gives who has the part of a user of the simulated cloud's.
func (c *cloud) User(name string) (testcloud.User, bool) {
	u, ok := c.users[name]
	return u, ok
}

// Faults are none.
func (c *cloud) Faults() *fabric.Faults { return &c.faults }

// Do sends a raw request to a path of the simulated cloud's.
func (c *cloud) Do(t testing.TB, token, method, path string, body any, header ...string) testcloudtest.Answer {
	t.Helper()
	reader, _ := body.(io.Reader)
	if reader == nil && body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	word, rest, _ := strings.Cut(path[1:], "/")
	if word != "v3" {
		path = "/" + rest
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.bases[word]+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return testcloudtest.Answer{Status: res.StatusCode, Header: res.Header, Body: text}
}

// trusts are the watcher's own.
func (s *site) trusts() string {
	u, _ := s.cloud.User(watcher)
	return "?trustor_user_id=" + u.ID
}

// limit is for clouds of a test's own.
func (s *site) limit(string, string, int) {
	s.t.Helper()
	s.t.Fatal("the quotas of a real cloud are not a test's to set")
}

// pliable says that this cloud does not go wrong on request, and takes its time.
const pliable = false

// volumes says that whole volumes go through where the work makes something of them in the
// cloud.
func (w work) volumes() bool { return w.name == "protect" || w.name == "restore" }

// possible leaves out what wants a cloud that goes wrong, and servers that answer.
func (w work) possible() bool { return w.fault == nil && !w.probes }
