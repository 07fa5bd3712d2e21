package dnszone

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/zones"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// FindOptions are the protectable plug-in's settings: there are none.
type FindOptions struct{}

// Protectable finds zones.
var Protectable = plugin.Define("karbor-dns-zone-protectable-plugin",
	"Finds the DNS zones of the caller's project.",
	func() FindOptions { return FindOptions{} },
	func(context.Context, FindOptions) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return Type }

// Parents implements protectable.Plugin: a plan with a whole project has its zones, too.
func (finder) Parents() []karbor.ResourceType { return []karbor.ResourceType{karbor.ProjectType} }

// List implements protectable.Plugin. The zones come in the order of their ids.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.DNS(ctx, cloud)
	if err != nil {
		return nil, err
	}
	all, err := ownZones(ctx, client, cloud)
	if err != nil {
		return nil, err
	}
	out := []karbor.Resource{}
	for i := range all {
		if unfit(&all[i]) == nil {
			out = append(out, resource(&all[i]))
		}
	}
	slices.SortFunc(out, func(a, b karbor.Resource) int { return strings.Compare(a.ID, b.ID) })
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(r karbor.Resource) bool { return r.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no DNS zone in this list", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

// Show implements protectable.Plugin.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	client, err := openstack.DNS(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	z, err := ownZone(ctx, client, cloud, id)
	if err != nil {
		return karbor.Resource{}, err
	}
	if err := unfit(z); err != nil {
		return karbor.Resource{}, err
	}
	return resource(z), nil
}

// Dependents implements protectable.Plugin: a project has all its zones. In a cloud without Designate
// the error is karbor.NotImplemented.
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

func resource(z *zones.Zone) karbor.Resource {
	return karbor.Resource{Type: Type, ID: z.ID, Name: z.Name}
}
