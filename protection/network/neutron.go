package network

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
)

// kind is one kind of resource of Neutron's.
type kind struct {
	path string // in URLs, such as "security-groups"
	one  string // around one, such as "security_group"
}

var (
	networkKind = kind{"networks", "network"}
	subnetKind  = kind{"subnets", "subnet"}
	routerKind  = kind{"routers", "router"}
	groupKind   = kind{"security-groups", "security_group"}
	ruleKind    = kind{"security-group-rules", "security_group_rule"}
	portKind    = kind{"ports", "port"}
)

// word names the kind in sentences.
func (k kind) word() string { return strings.ReplaceAll(k.one, "_", " ") }

// neutron speaks Neutron's JSON with the members that the document keeps; the
// typed requests of the client library leave some of them out.
type neutron struct{ client *gophercloud.ServiceClient }

// show reads one resource into out.
func (n neutron) show(ctx context.Context, k kind, id string, out any) error {
	return openstack.Explain(networking.Show(ctx, n.client, k.path, id, out), "reading %s %s", k.word(), id)
}

// list reads all resources of a kind that a query finds.
func list[T any](ctx context.Context, n neutron, k kind, query url.Values) ([]T, error) {
	all, err := networking.List[T](ctx, n.client, k.path, query)
	return all, openstack.Explain(err, "listing the %ss", k.word())
}

// create makes a resource, and reads it into out unless that is nil. The error
// is the client's own.
func (n neutron) create(ctx context.Context, k kind, body map[string]any, out any) error {
	var envelope map[string]json.RawMessage
	_, err := n.client.Post(ctx, n.client.ServiceURL(k.path), map[string]any{k.one: body}, &envelope,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(envelope[k.one], out)
}

// update changes members of a resource. The error is the client's own.
func (n neutron) update(ctx context.Context, k kind, id string, body map[string]any) error {
	return n.put(ctx, n.client.ServiceURL(k.path, id), map[string]any{k.one: body})
}

// retag replaces all tags of a resource. The error is the client's own.
func (n neutron) retag(ctx context.Context, k kind, id string, tags []string) error {
	return n.put(ctx, n.client.ServiceURL(k.path, id, "tags"), map[string]any{"tags": tags})
}

// act asks a router for an action. The error is the client's own.
func (n neutron) act(ctx context.Context, router, action string, body map[string]any) error {
	return n.put(ctx, n.client.ServiceURL(routerKind.path, router, action), body)
}

func (n neutron) put(ctx context.Context, url string, body any) error {
	var ignored json.RawMessage
	_, err := n.client.Put(ctx, url, body, &ignored, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusCreated}})
	return err
}

// remove deletes a resource. One that is not there is no error.
func (n neutron) remove(ctx context.Context, k kind, id string) error {
	return openstack.Explain(networking.Delete(ctx, n.client, k.path, id), "deleting %s %s", k.word(), id)
}
