// Package database finds a tenant's Trove instances.
package database

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds database instances (OS::Trove::Instance).
var Plugin = plugin.Define("karbor-database-protectable-plugin",
	"Finds the database instances of the caller's project.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

var _ protectable.Sizer = finder{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.DatabaseType }

// Parents implements protectable.Plugin.
func (finder) Parents() []karbor.ResourceType { return []karbor.ResourceType{karbor.ProjectType} }

// List implements protectable.Plugin. The instances come in the order of their ids. Those
// of clusters are not listed: Trove makes no backups of them.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.Database(ctx, cloud)
	if err != nil {
		return nil, err
	}
	all, err := database.List(ctx, client, cloud)
	if err != nil {
		return nil, err
	}
	out := []karbor.Resource{}
	for i := range all {
		if !database.Unfit(all[i].Status) {
			out = append(out, resource(&all[i]))
		}
	}
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(r karbor.Resource) bool { return r.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no database instance in this list", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

// Show implements protectable.Plugin. An instance in error or deletion, or of a cluster,
// is karbor.Conflict.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	client, err := openstack.Database(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	i, err := database.Get(ctx, client, cloud, id)
	switch {
	case err != nil:
		return karbor.Resource{}, err
	case database.Unfit(i.Status):
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "database instance %s has status %s and can't be protected", id, i.Status)
	case i.ClusterID != "":
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "database instance %s is of a cluster and can't be protected", id)
	}
	return resource(i), nil
}

// Size implements protectable.Sizer: it is that of the instance's volume.
func (finder) Size(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (int64, error) {
	client, err := openstack.Database(ctx, cloud)
	if err != nil {
		return 0, err
	}
	i, err := database.Get(ctx, client, cloud, r.ID)
	if err != nil {
		return 0, err
	}
	return int64(i.Volume.Size) << 30, nil
}

// Dependents implements protectable.Plugin: a project has all its instances. In a cloud
// without databases the error is karbor.NotImplemented.
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

func resource(i *database.Instance) karbor.Resource {
	return karbor.Resource{Type: karbor.DatabaseType, ID: i.ID, Name: i.Name, ExtraInfo: map[string]string{"datastore": i.Datastore.Type}}
}
