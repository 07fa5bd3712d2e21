package janitor

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/protection"
)

// servers lists the servers of all projects that drills have made: of one installation, or of
// any for "".
func (a administration) servers(ctx context.Context, installation string) ([]Thing, error) {
	client, err := a.client(ctx, Server)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]Thing, bool, error) {
		opts := servers.ListOpts{AllTenants: true, Marker: marker, Limit: limit, TagsAny: anyMark(installation)}
		if installation == "" {
			opts.Name = "^" + drillPrefix
		}
		found, more, err := openstack.FirstPage(ctx, servers.List(client, opts))
		if err != nil || found == nil {
			return nil, false, openstack.Explain(err, "listing the servers of all projects")
		}
		all, err := servers.ExtractServers(found)
		return convert(all, ofServer), more, openstack.Explain(err, "listing the servers of all projects")
	}
	return openstack.Collect(ctx, "", 0, page, func(t Thing) string { return t.ID },
		func(t Thing) (Thing, bool) { return t, t.Installation() != "" })
}

// anyMark asks Nova for servers with one of the marks of an installation; "" for none.
func anyMark(installation string) string {
	if installation == "" {
		return ""
	}
	return protection.DrillMark(installation) + "," + protection.RestoringMark(installation)
}

// server reads one server.
func (a administration) server(ctx context.Context, id string) (Thing, error) {
	client, err := a.client(ctx, Server)
	if err != nil {
		return Thing{}, err
	}
	s, err := servers.Get(ctx, client, id).Extract()
	if err != nil {
		return Thing{}, openstack.Explain(err, "reading server %s", id)
	}
	return ofServer(s), nil
}

// drillPrefix begins the names of all that drills make (drill.Name), and their mark on a server
// (protection.DrillMark).
const drillPrefix = "karbor-drill-"

// restoringPrefix begins protection.RestoringMark.
const restoringPrefix = "karbor-restoring-"

// ofServer reads from the tags of a server what other things have in their metadata.
func ofServer(s *servers.Server) Thing {
	t := Thing{Kind: Server, ID: s.ID, Name: s.Name, ProjectID: s.TenantID, Status: s.Status, CreatedAt: s.Created}
	if s.Locked != nil && *s.Locked {
		t.Used = "it is locked" // Nova lets an administrator delete it all the same
	}
	if s.Tags == nil {
		return t
	}
	tags := map[string]string{}
	for _, tag := range *s.Tags {
		if installation, drilled := strings.CutPrefix(tag, drillPrefix); drilled {
			tags[protection.TemporaryTag], tags[protection.DrillTag] = installation, "true"
		} else if installation, begun := strings.CutPrefix(tag, restoringPrefix); begun {
			tags[protection.RestoringTag] = installation
		} else if owner, made := strings.CutPrefix(tag, protection.OwnerMark("")); made && karbor.IsUUID(owner) {
			tags[protection.CheckpointTag] = owner
		}
	}
	t.Tags = tags
	if t.Restoring() && len(s.AttachedVolumes) > 0 && t.Used == "" {
		t.Used = "it has volumes, which may go with it" // those of delete_on_termination, which are whole
	}
	return t
}

// describedTags are the tags of what has a description alone, and was made by a drill, or is not yet
// what a restore is to leave.
func describedTags(description string) map[string]string {
	if id, installation, ok := drill.Marked(description); ok {
		return map[string]string{protection.TemporaryTag: installation, protection.DrillTag: "true", protection.CheckpointTag: id}
	}
	return restoringTags(description)
}

// restoringTags are the tags of what has a protection.Call.RestoringText in the place of a name or a
// description; nil for any other text.
func restoringTags(text string) map[string]string {
	installation, id, ok := protection.CutRestoring(text)
	if !ok {
		return nil
	}
	return map[string]string{protection.RestoringTag: installation, protection.CheckpointTag: id}
}
