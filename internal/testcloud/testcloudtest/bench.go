// Package testcloudtest starts simulated clouds for tests and gives clients to
// them.
package testcloudtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// patience is how long a state may take to come.
const patience = 2 * time.Minute

// Cloud is a running cloud of one test.
type Cloud struct {
	*testcloud.Cloud
	Options testcloud.Options
}

// Start starts a cloud in a folder of the test's own, in which state changes
// take a millisecond. Each edit may change the options. The cloud is closed
// when the test ends.
func Start(t testing.TB, edits ...func(*testcloud.Options)) *Cloud {
	t.Helper()
	o := testcloud.Options{Dir: t.TempDir(), Now: time.Now, Timing: fabric.Timing{Change: time.Millisecond}}
	for _, edit := range edits {
		edit(&o)
	}
	c := &Cloud{Options: o}
	c.start(t)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error("closing the test cloud:", err)
		}
	})
	return c
}

func (c *Cloud) start(t testing.TB) {
	t.Helper()
	cloud, err := testcloud.Start(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	c.Cloud = cloud
}

// Restart closes the cloud and starts it again on the same folder. Its URL
// changes; tokens stay good.
func (c *Cloud) Restart(t testing.TB) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c.start(t)
}

// Auth gives what a seeded user logs in with, in its own project.
func (c *Cloud) Auth(t testing.TB, user string) gophercloud.AuthOptions {
	t.Helper()
	u, ok := c.User(user)
	if !ok {
		t.Fatalf("there is no user %s", user)
	}
	return gophercloud.AuthOptions{IdentityEndpoint: c.URL(), Username: u.Name, Password: u.Password, DomainID: "default",
		Scope: &gophercloud.AuthScope{ProjectID: u.ProjectID}}
}

// Client logs a seeded user in.
func (c *Cloud) Client(t testing.TB, user string) *gophercloud.ProviderClient {
	t.Helper()
	p, err := openstack.AuthenticatedClient(t.Context(), c.Auth(t, user))
	if err != nil {
		t.Fatal("logging in:", err)
	}
	return p
}

// Volumes gives a user's client of Cinder, with the microversion 3.70.
func (c *Cloud) Volumes(t testing.TB, user string) *gophercloud.ServiceClient {
	t.Helper()
	return service(t, openstack.NewBlockStorageV3, c.Client(t, user), "3.70")
}

// Images gives a user's client of Glance.
func (c *Cloud) Images(t testing.TB, user string) *gophercloud.ServiceClient {
	t.Helper()
	return service(t, openstack.NewImageV2, c.Client(t, user), "")
}

// Identity gives a user's client of Keystone.
func (c *Cloud) Identity(t testing.TB, user string) *gophercloud.ServiceClient {
	t.Helper()
	return service(t, openstack.NewIdentityV3, c.Client(t, user), "")
}

func service(t testing.TB, open func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error),
	p *gophercloud.ProviderClient, version string) *gophercloud.ServiceClient {
	t.Helper()
	s, err := open(p, gophercloud.EndpointOpts{Region: "RegionOne"})
	if err != nil {
		t.Fatal("finding an endpoint:", err)
	}
	s.Microversion = version
	return s
}

// Answer is an answer to a raw request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a raw request below the cloud's base, such as "/v3/projects", with
// a token. A body that is no io.Reader is sent as JSON; nil sends none. The
// header is given in pairs.
func (c *Cloud) Do(t testing.TB, token, method, path string, body any, header ...string) Answer {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL()[:len(c.URL())-len("/v3")]+path, reader)
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
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: text}
}

// Await asks again and again until done is true.
func Await(t testing.TB, what string, done func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}
