// Package share finds a tenant's Manila shares.
package share

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shares"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds shares (OS::Manila::Share).
var Plugin = plugin.Define("karbor-share-protectable-plugin",
	"Finds the shares of the caller's project.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

var _ protectable.Sizer = finder{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.ShareType }

// Parents implements protectable.Plugin: Manila does not know who mounts a share.
func (finder) Parents() []karbor.ResourceType { return []karbor.ResourceType{karbor.ProjectType} }

// List implements protectable.Plugin. The shares come in the order of their ids.
// Manila's pages begin at an offset, and so may skip or repeat when shares come and go:
// all are read, and the page is cut here.
func (finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	client, err := openstack.SharedFileSystems(ctx, cloud)
	if err != nil {
		return nil, err
	}
	all, err := openstack.AllPages(ctx, shares.ListDetail(client, shares.ListOpts{Limit: pageSize}), shares.ExtractShares)
	if err != nil {
		return nil, openstack.Explain(err, "listing shares")
	}
	seen, out := map[string]bool{}, []karbor.Resource{}
	for i := range all {
		if s := &all[i]; s.ProjectID == cloud.ProjectID() && !unfit(s.Status) && !seen[s.ID] {
			seen[s.ID] = true
			out = append(out, resource(s))
		}
	}
	slices.SortFunc(out, func(a, b karbor.Resource) int { return strings.Compare(a.ID, b.ID) })
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(r karbor.Resource) bool { return r.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no share in this list", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

// pageSize is how many shares are asked for at once.
const pageSize = 500

// Show implements protectable.Plugin. A share in error or deletion is karbor.Conflict.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	client, err := openstack.SharedFileSystems(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	s, err := get(ctx, client, cloud, id)
	if err != nil {
		return karbor.Resource{}, err
	}
	if unfit(s.Status) {
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "share %s has status %s and can't be protected", id, s.Status)
	}
	return resource(s), nil
}

func get(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, id string) (*shares.Share, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such share")
	}
	s, err := shares.Get(ctx, client, id).Extract()
	// A public share of another project is seen by all.
	if openstack.IsNotFound(err) || err == nil && s.ProjectID != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no share %s", id)
	}
	return s, openstack.Explain(err, "looking for share %s", id)
}

// Size implements protectable.Sizer.
func (finder) Size(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (int64, error) {
	client, err := openstack.SharedFileSystems(ctx, cloud)
	if err != nil {
		return 0, err
	}
	s, err := get(ctx, client, cloud, r.ID)
	if err != nil {
		return 0, err
	}
	return int64(s.Size) << 30, nil
}

// Dependents implements protectable.Plugin: a project has all its shares. In a cloud
// without shared file systems the error is karbor.NotImplemented.
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

// unfit reports a status from which nothing can be protected.
func unfit(status string) bool {
	return status == "error" || status == "deleting" || status == "error_deleting"
}

func resource(s *shares.Share) karbor.Resource {
	r := karbor.Resource{Type: karbor.ShareType, ID: s.ID, Name: s.Name}
	if s.AvailabilityZone != "" {
		r.ExtraInfo = map[string]string{"availability_zone": s.AvailabilityZone}
	}
	return r
}
