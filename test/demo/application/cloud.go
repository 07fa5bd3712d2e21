// Package application is the demo's small application in a cloud: it creates
// it, takes digests of its bytes and a record of its properties, and destroys
// it. It uses OpenStack's public APIs only, as the tenant, and nothing of
// Karbor.
package application

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
)

// Cloud is a session of the tenant.
type Cloud struct {
	compute, volume, image, network *gophercloud.ServiceClient
	// SameAddress says that a restore can bring back the same floating address.
	SameAddress bool
	// Administrator sees what a tenant does not, user data; nil for nobody.
	Administrator *Cloud
}

// Microversions: tags in a server's creation, delete_on_termination of its
// volumes, and the flavor's own values in the server need 2.79.
const computeMicroversion = "2.79"

// Open logs in with the settings of an openrc.
func Open(ctx context.Context, env map[string]string) (*Cloud, error) {
	domain := func(who string) (id, name string) {
		id, name = env["OS_"+who+"_DOMAIN_ID"], env["OS_"+who+"_DOMAIN_NAME"]
		if id == "" && name == "" {
			id = "default"
		}
		return id, name
	}
	o := gophercloud.AuthOptions{IdentityEndpoint: env["OS_AUTH_URL"], Username: env["OS_USERNAME"],
		Password: env["OS_PASSWORD"], AllowReauth: true, Scope: &gophercloud.AuthScope{ProjectID: env["OS_PROJECT_ID"]}}
	o.DomainID, o.DomainName = domain("USER")
	if o.Scope.ProjectID == "" {
		o.Scope.ProjectName = env["OS_PROJECT_NAME"]
		o.Scope.DomainID, o.Scope.DomainName = domain("PROJECT")
	}
	provider, err := openstack.AuthenticatedClient(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("logging in at %s: %w", o.IdentityEndpoint, err)
	}
	// Each request has a context; this bounds only the wait for the first byte.
	provider.HTTPClient = http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: 2 * time.Minute, MaxIdleConnsPerHost: 8}}
	c := &Cloud{}
	e := gophercloud.EndpointOpts{Region: env["OS_REGION_NAME"], Availability: gophercloud.Availability(env["OS_INTERFACE"])}
	for _, s := range []struct {
		into **gophercloud.ServiceClient
		open func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error)
		name string
	}{
		{&c.compute, openstack.NewComputeV2, "compute"},
		{&c.volume, openstack.NewBlockStorageV3, "volume"},
		{&c.image, openstack.NewImageV2, "image"},
		{&c.network, openstack.NewNetworkV2, "network"},
	} {
		if *s.into, err = s.open(provider, e); err != nil {
			return nil, fmt.Errorf("finding the cloud's %s service: %w", s.name, err)
		}
	}
	c.compute.Microversion = computeMicroversion
	return c, nil
}

// document is a JSON object.
type document map[string]any

func (d document) text(key string) string {
	switch v := d[key].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

func (d document) doc(key string) document {
	m, _ := d[key].(map[string]any)
	return m
}

func (d document) list(key string) []document {
	items, _ := d[key].([]any)
	var out []document
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// okCodes are the successes of the four services.
var okCodes = []int{200, 201, 202, 204}

// call sends a request and gives the object in its answer, if there is one.
func call(ctx context.Context, s *gophercloud.ServiceClient, method, path string, body any) (document, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var raw []byte
	o := &gophercloud.RequestOpts{OkCodes: okCodes, KeepResponseBody: true}
	if body != nil {
		o.JSONBody = body
	}
	res, err := s.Request(ctx, method, s.ServiceURL(path), o)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = res.Body.Close() }() // what matters was read
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if raw = bytes.TrimSpace(b.Bytes()); len(raw) == 0 || raw[0] != '{' {
		return document{}, nil
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return d, nil
}

// create posts {key: body} and gives the new object.
func create(ctx context.Context, s *gophercloud.ServiceClient, path, key string, body map[string]any) (document, error) {
	d, err := call(ctx, s, http.MethodPost, path, map[string]any{key: body})
	if err != nil {
		return nil, err
	}
	return d.doc(key), nil
}

// find lists a collection and gives the objects that match.
func find(ctx context.Context, s *gophercloud.ServiceClient, path, key string, match func(document) bool) ([]document, error) {
	d, err := call(ctx, s, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	var out []document
	for _, item := range d.list(key) {
		if match == nil || match(item) {
			out = append(out, item)
		}
	}
	return out, nil
}

// named gives the one object of that name.
func named(ctx context.Context, s *gophercloud.ServiceClient, path, key, name string) (document, error) {
	found, err := find(ctx, s, path, key, func(d document) bool { return d.text("name") == name })
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("there are %d %s with the name %s, not one", len(found), key, name)
	}
	return found[0], nil
}

func remove(ctx context.Context, s *gophercloud.ServiceClient, path string) error {
	_, err := call(ctx, s, http.MethodDelete, path, nil)
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// until asks again and again, for at most ten minutes.
func until(ctx context.Context, what string, check func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, fmt.Errorf("%s: it took more than ten minutes", what))
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(wait*3/2, 2*time.Second) {
		done, err := check()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// settled waits until an object has the status, and gives it.
func settled(ctx context.Context, s *gophercloud.ServiceClient, path, key, status string) (document, error) {
	var d document
	err := until(ctx, fmt.Sprintf("waiting for %s to be %s", path, status), func() (bool, error) {
		answer, err := call(ctx, s, http.MethodGet, path, nil)
		if err != nil {
			return false, err
		}
		// Glance's objects have no envelope.
		if d = answer; key != "" {
			d = answer.doc(key)
		}
		switch now := d.text("status"); now {
		case "error", "ERROR", "killed", "error_deleting", "error_extending":
			return false, fmt.Errorf("it is in status %s: %s", now, d.doc("fault").text("message"))
		default:
			return now == status, nil
		}
	})
	return d, err
}

// gone waits until an object is not there any more.
func gone(ctx context.Context, s *gophercloud.ServiceClient, path string) error {
	return until(ctx, "waiting for "+path+" to go", func() (bool, error) {
		_, err := call(ctx, s, http.MethodGet, path, nil)
		if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
			return true, nil
		}
		return false, err
	})
}
