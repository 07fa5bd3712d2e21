// Package volume finds a tenant's volumes, and those that are attached to a server.
package volume

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds volumes (OS::Cinder::Volume).
var Plugin = PluginWith(kubernetes.Options{})

// PluginWith finds, beside others, the volumes that pods use in the clusters that k lets be
// reached.
func PluginWith(k kubernetes.Options) plugin.Definition[protectable.Plugin] {
	return plugin.Define("karbor-volume-protectable-plugin",
		"Finds the volumes of the caller's project, and those attached to a server.",
		func() Options { return Options{} },
		func(context.Context, Options) (protectable.Plugin, error) {
			if len(k.Servers) == 0 {
				return finder{}, nil
			}
			clusters, err := kubernetes.New(k)
			return finder{clusters}, err
		})
}

// finder finds volumes; clusters is nil where no clusters are reached.
type finder struct{ clusters *kubernetes.Clusters }

var _ protectable.Sizer = finder{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.VolumeType }

// Parents implements protectable.Plugin.
func (f finder) Parents() []karbor.ResourceType {
	if f.clusters == nil {
		return []karbor.ResourceType{karbor.ServerType, karbor.ProjectType}
	}
	return []karbor.ResourceType{karbor.ServerType, karbor.PodType, karbor.ProjectType}
}

// List implements protectable.Plugin. The volumes come in the order of their ids. Those that Karbor
// has made for a while are not the project's to protect.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.BlockStorage(ctx, cloud)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]volumes.Volume, bool, error) {
		options := volumes.ListOpts{Limit: limit, Marker: marker, Sort: "id:asc"}
		found, more, err := openstack.FirstPage(ctx, volumes.List(client, options))
		if err != nil || found == nil {
			return nil, false, explainList(err, marker)
		}
		list, err := volumes.ExtractVolumes(found)
		return list, more, openstack.Explain(err, "listing volumes")
	}
	return openstack.Collect(ctx, q.Marker, q.Limit, page,
		func(v volumes.Volume) string { return v.ID },
		func(v volumes.Volume) (karbor.Resource, bool) {
			return resource(v), v.TenantID == cloud.ProjectID() && !unfit(v.Status) && !protection.Passing(v.Name, v.Metadata)
		})
}

// explainList explains an error of a list: Cinder answers 404 to a marker that it
// does not know, and the list itself is always there.
func explainList(err error, marker string) error {
	if openstack.IsNotFound(err) {
		return karbor.Errorf(karbor.Invalid, "the marker %q is no volume in this list", marker)
	}
	return openstack.Explain(err, "listing volumes")
}

// Show implements protectable.Plugin. A volume in error or deletion is
// karbor.Conflict.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	client, err := openstack.BlockStorage(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	v, err := get(ctx, client, cloud, id)
	if err != nil {
		return karbor.Resource{}, err
	}
	if unfit(v.Status) {
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "volume %s has status %s and can't be protected", id, v.Status)
	}
	return resource(*v), nil
}

func get(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, id string) (*volumes.Volume, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such volume")
	}
	v, err := volumes.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) || err == nil && v.TenantID != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no volume %s", id)
	}
	return v, openstack.Explain(err, "looking for volume %s", id)
}

// Size implements protectable.Sizer.
func (finder) Size(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (int64, error) {
	client, err := openstack.BlockStorage(ctx, cloud)
	if err != nil {
		return 0, err
	}
	v, err := get(ctx, client, cloud, r.ID)
	if err != nil {
		return 0, err
	}
	return int64(v.Size) << 30, nil
}

// Dependents implements protectable.Plugin: a server has the volumes attached to it,
// whatever their state; a pod those that its claims are bound to; a project has all its volumes.
func (f finder) Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	var list []karbor.Resource
	var err error
	switch parent.Type {
	case karbor.ServerType:
		list, err = attached(ctx, cloud, parent.ID)
	case karbor.PodType:
		if f.clusters != nil {
			list, err = f.claimed(ctx, cloud, parent)
		}
	case karbor.ProjectType:
		if parent.ID != cloud.ProjectID() {
			return nil, karbor.Errorf(karbor.NotFound, "there is no project %s", parent.ID)
		}
		list, err = f.List(ctx, cloud, protectable.Query{})
	}
	out := make([]protectable.Dependent, 0, len(list))
	for _, r := range list {
		out = append(out, protectable.Dependent{Resource: r})
	}
	return out, err
}

// attached gives a server's volumes in the order of their ids. A volume that Nova
// still lists and Cinder no longer has is left out: it is just being detached.
func attached(ctx context.Context, cloud karbor.Cloud, serverID string) ([]karbor.Resource, error) {
	s, err := openstack.Server(ctx, cloud, serverID)
	if err != nil {
		return nil, err
	}
	if len(s.AttachedVolumes) == 0 {
		return nil, nil
	}
	client, err := openstack.BlockStorage(ctx, cloud)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(s.AttachedVolumes))
	for _, a := range s.AttachedVolumes {
		ids = append(ids, a.ID)
	}
	return there(ctx, client, cloud, ids)
}

// claimed gives a pod's volumes in the order of their ids. What the cluster names and the
// project has not is left out: the pod's own protection tells.
func (f finder) claimed(ctx context.Context, cloud karbor.Cloud, pod karbor.Resource) ([]karbor.Resource, error) {
	ids, err := f.clusters.VolumesOf(ctx, cloud, pod.ID, pod.Name)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	client, err := openstack.BlockStorage(ctx, cloud)
	if err != nil {
		return nil, err
	}
	return there(ctx, client, cloud, ids)
}

// there gives those of some volumes that the project has, in the order of their ids.
func there(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, ids []string) ([]karbor.Resource, error) {
	var out []karbor.Resource
	for _, id := range ids {
		v, err := get(ctx, client, cloud, id)
		if karbor.KindOf(err) == karbor.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, resource(*v))
	}
	slices.SortFunc(out, func(a, b karbor.Resource) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// unfit reports a status from which nothing can be protected.
func unfit(status string) bool {
	return status == "deleting" || status == "error" || status == "error_deleting"
}

func resource(v volumes.Volume) karbor.Resource {
	r := karbor.Resource{Type: karbor.VolumeType, ID: v.ID, Name: v.Name}
	if v.AvailabilityZone != "" {
		r.ExtraInfo = map[string]string{"availability_zone": v.AvailabilityZone}
	}
	return r
}
