package network

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
)

// kind is one kind of resource of Neutron's.
type kind struct {
	path string // in URLs, such as "security-groups"
	many string // around lists, such as "security_groups"
	one  string // around one, such as "security_group"
}

var (
	networkKind = kind{"networks", "networks", "network"}
	subnetKind  = kind{"subnets", "subnets", "subnet"}
	routerKind  = kind{"routers", "routers", "router"}
	groupKind   = kind{"security-groups", "security_groups", "security_group"}
	ruleKind    = kind{"security-group-rules", "security_group_rules", "security_group_rule"}
	portKind    = kind{"ports", "ports", "port"}
)

// word names the kind in sentences.
func (k kind) word() string { return strings.ReplaceAll(k.one, "_", " ") }

// neutron speaks Neutron's JSON with the members that the document keeps; the
// typed requests of the client library leave some of them out.
type neutron struct{ client *gophercloud.ServiceClient }

// show reads one resource into out.
func (n neutron) show(ctx context.Context, k kind, id string, out any) error {
	var envelope map[string]json.RawMessage
	_, err := n.client.Get(ctx, n.client.ServiceURL(k.path, id), &envelope, nil)
	if err == nil {
		err = json.Unmarshal(envelope[k.one], out)
	}
	return openstack.Explain(err, "reading %s %s", k.word(), id)
}

// list reads all resources of a kind that a query finds.
func list[T any](ctx context.Context, n neutron, k kind, query url.Values) ([]T, error) {
	next := n.client.ServiceURL(k.path) + "?" + query.Encode()
	var all []T
	for next != "" {
		var envelope map[string]json.RawMessage
		if _, err := n.client.Get(ctx, next, &envelope, nil); err != nil {
			return nil, openstack.Explain(err, "listing the %ss", k.word())
		}
		var page []T
		if err := json.Unmarshal(envelope[k.many], &page); err != nil {
			return nil, openstack.Explain(err, "listing the %ss", k.word())
		}
		all = append(all, page...)
		next = following(envelope[k.many+"_links"])
	}
	return all, nil
}

// following gives the address of the next page, or "".
func following(text json.RawMessage) string {
	var links []struct{ Rel, Href string }
	if len(text) == 0 || json.Unmarshal(text, &links) != nil {
		return ""
	}
	for _, l := range links {
		if l.Rel == "next" {
			return l.Href
		}
	}
	return ""
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
	_, err := n.client.Delete(ctx, n.client.ServiceURL(k.path, id), nil)
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "deleting %s %s", k.word(), id)
}
