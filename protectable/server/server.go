// Package server finds a tenant's servers.
package server

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds servers (OS::Nova::Server).
var Plugin = plugin.Define("karbor-server-protectable-plugin",
	"Finds the servers of the caller's project.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.ServerType }

// Parents implements protectable.Plugin.
func (finder) Parents() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ProjectType}
}

// listOptions adds to gophercloud's options the order, which Nova knows but
// gophercloud does not.
type listOptions struct {
	Limit   int    `q:"limit"`
	Marker  string `q:"marker"`
	SortKey string `q:"sort_key"`
	SortDir string `q:"sort_dir"`
}

// ToServerListQuery implements servers.ListOptsBuilder.
func (o listOptions) ToServerListQuery() (string, error) {
	q, err := gophercloud.BuildQueryString(o)
	if err != nil {
		return "", err
	}
	return q.String(), nil
}

// List implements protectable.Plugin. The servers come in the order of their ids. Those of a restore
// drill are not the project's to protect.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.Compute(ctx, cloud)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]servers.Server, bool, error) {
		options := listOptions{Limit: limit, Marker: marker, SortKey: "uuid", SortDir: "asc"}
		found, more, err := openstack.FirstPage(ctx, servers.List(client, options))
		if err != nil || found == nil {
			return nil, false, openstack.Explain(err, "listing servers")
		}
		list, err := servers.ExtractServers(found)
		return list, more, openstack.Explain(err, "listing servers")
	}
	return openstack.Collect(ctx, q.Marker, q.Limit, page,
		func(s servers.Server) string { return s.ID },
		func(s servers.Server) (karbor.Resource, bool) {
			return resource(s), s.TenantID == cloud.ProjectID() && !gone(s.Status) && s.Status != "ERROR" && !drilled(s)
		})
}

// Show implements protectable.Plugin. A server in error is karbor.Conflict.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	s, err := openstack.Server(ctx, cloud, id)
	if err != nil {
		return karbor.Resource{}, err
	}
	if s.Status == "ERROR" {
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "server %s is in error and can't be protected", id)
	}
	return resource(*s), nil
}

// Dependents implements protectable.Plugin: a project has all its servers.
func (f finder) Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	if parent.Type != karbor.ProjectType {
		return nil, nil
	}
	if parent.ID != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no project %s", parent.ID)
	}
	list, err := f.List(ctx, cloud, protectable.Query{})
	out := make([]protectable.Dependent, 0, len(list))
	for _, r := range list {
		out = append(out, protectable.Dependent{Resource: r})
	}
	return out, err
}

// drilled reports whether a restore drill has made the server.
func drilled(s servers.Server) bool { return s.Tags != nil && protection.MadeByDrill("", *s.Tags) }

// gone reports a state in which the server is no more for its owner.
func gone(status string) bool {
	return strings.EqualFold(status, "DELETED") || strings.EqualFold(status, "SOFT_DELETED")
}

func resource(s servers.Server) karbor.Resource {
	r := karbor.Resource{Type: karbor.ServerType, ID: s.ID, Name: s.Name}
	if s.AvailabilityZone != "" {
		r.ExtraInfo = map[string]string{"availability_zone": s.AvailabilityZone}
	}
	return r
}
