package janitor

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// administration is a Cloud through an administrator's session.
type administration struct{ session karbor.Cloud }

// NewCloud makes a Cloud of a session. One that is no administrator's sees its own project
// alone.
func NewCloud(session karbor.Cloud) Cloud { return administration{session} }

// narrowed is the query of a list: the page, and the tag where the service can look for it.
type narrowed struct{ values url.Values }

func newQuery(marker string, limit int) url.Values {
	v := url.Values{"limit": {strconv.Itoa(limit)}}
	if marker != "" {
		v.Set("marker", marker)
	}
	return v
}

// blockQuery asks Cinder for the things of all projects with the tag.
func blockQuery(marker string, limit int, tag, installation string) narrowed {
	v := newQuery(marker, limit)
	v.Set("all_tenants", "1")
	v.Set("sort", "id:asc")
	if installation != "" {
		v.Set("metadata", fmt.Sprintf("{'%s':'%s'}", tag, installation))
	}
	return narrowed{v}
}

func (n narrowed) text() string { return "?" + n.values.Encode() }

// ToVolumeListQuery implements volumes.ListOptsBuilder.
func (n narrowed) ToVolumeListQuery() (string, error) { return n.text(), nil }

// ToSnapshotListQuery implements snapshots.ListOptsBuilder.
func (n narrowed) ToSnapshotListQuery() (string, error) { return n.text(), nil }

// ToImageListQuery implements images.ListOptsBuilder.
func (n narrowed) ToImageListQuery() (string, error) { return n.text(), nil }

// Temporary implements Cloud.
func (a administration) Temporary(ctx context.Context, kind Kind, installation string) ([]Thing, error) {
	switch kind {
	case Server:
		return a.servers(ctx, installation)
	case Share:
		return a.shares(ctx, installation)
	case Database:
		return a.databases(ctx, installation)
	default:
	}
	if collections[kind] != "" {
		return a.networking(ctx, kind, installation)
	}
	client, err := a.client(ctx, kind)
	if err != nil {
		return nil, err
	}
	var things []Thing
	for _, tag := range marks(kind, installation) {
		page := func(ctx context.Context, marker string, limit int) ([]Thing, bool, error) {
			things, more, err := list(ctx, client, kind, marker, limit, tag, installation)
			return things, more, openstack.Explain(err, "listing things of kind %s of all projects", kind)
		}
		// A cloud that does not know the filter gives the others, too.
		found, err := openstack.Collect(ctx, "", 0, page, func(t Thing) string { return t.ID },
			func(t Thing) (Thing, bool) {
				return t, t.Tags[tag] != "" || installation == "" && t.Installation() != ""
			})
		things = append(things, found...)
		if err != nil {
			return things, err
		}
	}
	return things, nil
}

// marks are the tags to look for in turn: no service looks for one or another. Without an
// installation nothing is looked for by a tag.
func marks(kind Kind, installation string) []string {
	if kind == Snapshot || installation == "" {
		return []string{protection.TemporaryTag}
	}
	return []string{protection.TemporaryTag, protection.RestoringTag}
}

func (a administration) client(ctx context.Context, kind Kind) (*gophercloud.ServiceClient, error) {
	switch kind {
	case Image:
		return openstack.Image(ctx, a.session)
	case Server:
		return openstack.Compute(ctx, a.session)
	default:
		return openstack.BlockStorage(ctx, a.session)
	}
}

// list gives one page of a list.
func list(ctx context.Context, client *gophercloud.ServiceClient, kind Kind, marker string, limit int, tag, installation string) ([]Thing, bool, error) {
	switch kind {
	case Image:
		v := newQuery(marker, limit)
		v.Set("sort", "id:asc")
		if installation != "" {
			v.Set(tag, installation)
		}
		found, more, err := openstack.FirstPage(ctx, images.List(client, narrowed{v}))
		if err != nil || found == nil {
			return nil, false, err
		}
		all, err := images.ExtractImages(found)
		return convert(all, ofImage), more, err
	case Volume:
		found, more, err := openstack.FirstPage(ctx, volumes.List(client, blockQuery(marker, limit, tag, installation)))
		if err != nil || found == nil {
			return nil, false, err
		}
		all, err := volumes.ExtractVolumes(found)
		return convert(all, ofVolume), more, err
	default:
		found, more, err := openstack.FirstPage(ctx, snapshots.ListDetail(client, blockQuery(marker, limit, tag, installation)))
		if err != nil || found == nil {
			return nil, false, err
		}
		all, err := snapshots.ExtractSnapshots(found)
		return convert(all, ofSnapshot), more, err
	}
}

func convert[T any](found []T, to func(*T) Thing) []Thing {
	out := make([]Thing, len(found))
	for i := range found {
		out[i] = to(&found[i])
	}
	return out
}

func ofImage(i *images.Image) Thing {
	t := Thing{Kind: Image, ID: i.ID, Name: i.Name, ProjectID: i.Owner, Status: string(i.Status), CreatedAt: i.CreatedAt, Tags: map[string]string{}}
	for name, value := range i.Properties {
		if text, ok := value.(string); ok {
			t.Tags[name] = text
		}
	}
	switch {
	case i.Protected:
		t.Used = "it is protected from deletion"
	case i.Visibility == images.ImageVisibilityPublic || i.Visibility == images.ImageVisibilityCommunity:
		t.Used = "it is there for other projects"
	case t.Tags[protection.DrillTag] != "" && madeOfServer(t.Tags):
		t.Used = "somebody has made it of a server"
	}
	return t
}

// madeOfServer reports whether Nova has made an image. It gives what it makes of a server all
// that the server's own image has, the marks of a drill too, and who asks for it by the
// command line a name that begins as the server's; what a drill restores has none of these.
func madeOfServer(properties map[string]string) bool {
	for _, name := range []string{"base_image_ref", "instance_uuid", "block_device_mapping"} {
		if _, there := properties[name]; there {
			return true
		}
	}
	return properties["image_type"] == "snapshot"
}

func ofVolume(v *volumes.Volume) Thing {
	t := Thing{Kind: Volume, ID: v.ID, Name: v.Name, ProjectID: v.TenantID, Status: v.Status, CreatedAt: v.CreatedAt, Tags: v.Metadata}
	if len(v.Attachments) > 0 {
		t.Used = "it is attached"
	}
	return t
}

func ofSnapshot(s *snapshots.Snapshot) Thing {
	return Thing{Kind: Snapshot, ID: s.ID, Name: s.Name, ProjectID: s.ProjectID, Status: s.Status, CreatedAt: s.CreatedAt, Tags: s.Metadata}
}

// Show implements Cloud.
func (a administration) Show(ctx context.Context, kind Kind, id string) (t Thing, err error) {
	switch kind {
	case Server:
		return a.server(ctx, id)
	case Share:
		return a.share(ctx, id)
	case Database:
		return a.database(ctx, id)
	default:
	}
	if collections[kind] != "" {
		return a.networkThing(ctx, kind, id)
	}
	client, err := a.client(ctx, kind)
	if err != nil {
		return Thing{}, err
	}
	switch kind {
	case Image:
		var i *images.Image
		if i, err = images.Get(ctx, client, id).Extract(); err == nil {
			t = ofImage(i)
		}
	case Volume:
		var v *volumes.Volume
		if v, err = volumes.Get(ctx, client, id).Extract(); err == nil {
			t = ofVolume(v)
		}
	default:
		var s *snapshots.Snapshot
		if s, err = snapshots.Get(ctx, client, id).Extract(); err == nil {
			t = ofSnapshot(s)
		}
	}
	return t, openstack.Explain(err, "reading %s %s", kind, id)
}

// Remove implements Cloud.
func (a administration) Remove(ctx context.Context, kind Kind, id string) error {
	switch kind {
	case Share:
		return a.removeShare(ctx, id)
	case Database:
		return a.removeDatabase(ctx, id)
	default:
	}
	if collections[kind] != "" {
		return a.removeNetworking(ctx, kind, id)
	}
	client, err := a.client(ctx, kind)
	if err != nil {
		return err
	}
	switch kind {
	case Server:
		err = servers.Delete(ctx, client, id).ExtractErr()
	case Image:
		return a.removeImage(ctx, client, id)
	case Volume:
		err = volumes.Delete(ctx, client, id, nil).ExtractErr()
	default:
		err = snapshots.Delete(ctx, client, id).ExtractErr()
	}
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "deleting %s %s", kind, id)
}
