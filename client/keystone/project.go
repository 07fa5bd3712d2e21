package keystone

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"

	"github.com/karbor/karbor"
)

// FindProject gives the id of a project that is named by its name or id; an id, and
// the name of the session's own project, are not looked up. Looking others up is for
// administrators. One that is not there is NotFound; a name that several domains have
// is Invalid.
func (s *Session) FindProject(ctx context.Context, ref string) (string, error) {
	if isProjectID(ref) {
		return ref, nil
	}
	if s.credentials.ProjectName == ref {
		return s.ProjectID()
	}
	s.mu.Lock()
	provider := s.provider
	s.mu.Unlock()
	client := &gophercloud.ServiceClient{ProviderClient: provider, Endpoint: strings.TrimSuffix(s.options.IdentityEndpoint, "/") + "/"}
	page, err := projects.List(client, projects.ListOpts{Name: ref}).AllPages(ctx)
	if err != nil {
		if gophercloud.ResponseCodeIs(err, 403) {
			return "", karbor.Errorf(karbor.Forbidden, "only administrators find the project %q by its name: give its id", ref)
		}
		return "", s.explain(err)
	}
	found, err := projects.ExtractProjects(page)
	if err != nil {
		return "", karbor.Errorf(karbor.Internal, "reading Keystone's projects: %w", err)
	}
	switch len(found) {
	case 0:
		return "", karbor.Errorf(karbor.NotFound, "there is no project with the name or id %q", ref)
	case 1:
		return found[0].ID, nil
	}
	ids := make([]string, 0, len(found))
	for _, p := range found {
		ids = append(ids, p.ID)
	}
	return "", karbor.Errorf(karbor.Invalid, "%d projects have the name %q: give one of their ids: %s", len(found), ref, strings.Join(ids, ", "))
}

// isProjectID reports whether text is what Keystone makes as an id: 32 hexadecimal
// digits, or a UUID.
func isProjectID(text string) bool {
	const digits = 32
	return karbor.IsUUID(text) || len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
