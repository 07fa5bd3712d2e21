package keystone

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/karbor/karbor"
)

// What a list of projects of one name may have: there is one for each domain that has it.
const (
	maxPages    = 100
	maxProjects = 1000
)

// shownIDs is how many of several projects' ids are told.
const shownIDs = 10

// FindProject gives the id of a project that is named by its name or id; an id, and
// the name of the session's own project, are not looked up. Looking others up is for
// administrators. One that is not there is NotFound; a name that several domains have
// is Invalid. An answer of more than 100 pages, 1000 projects or 16 MiB in a page is OverLimit.
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
	found, err := named(ctx, client, ref)
	switch {
	case errors.Is(err, errTooLong):
		return "", karbor.Errorf(karbor.OverLimit, "Keystone's list of the projects with the name %q is too long: give the project's id", ref)
	case gophercloud.ResponseCodeIs(err, 403):
		return "", karbor.Errorf(karbor.Forbidden, "only administrators find the project %q by its name: give its id", ref)
	case err != nil:
		return "", s.explain(err)
	}
	switch len(found) {
	case 0:
		return "", karbor.Errorf(karbor.NotFound, "there is no project with the name or id %q", ref)
	case 1:
		return found[0].ID, nil
	}
	return "", karbor.Errorf(karbor.Invalid, "%d projects have the name %q: give one of their ids: %s", len(found), ref, idsOf(found))
}

// named gives the projects of a name. It stands for the pager's own AllPages, which follows links for ever and keeps
// what it gets.
func named(ctx context.Context, client *gophercloud.ServiceClient, name string) ([]projects.Project, error) {
	var found []projects.Project
	pages := 0
	err := projects.List(client, projects.ListOpts{Name: name}).EachPage(ctx, func(_ context.Context, p pagination.Page) (bool, error) {
		some, err := projects.ExtractProjects(p)
		if err != nil {
			return false, fmt.Errorf("reading the projects: %w", err)
		}
		if pages++; pages > maxPages || len(found)+len(some) > maxProjects {
			return false, errTooLong
		}
		found = append(found, some...)
		return true, nil
	})
	return found, err
}

// idsOf names some projects for a sentence.
func idsOf(found []projects.Project) string {
	ids := make([]string, 0, len(found))
	for _, p := range found[:min(shownIDs, len(found))] {
		ids = append(ids, p.ID)
	}
	text := strings.Join(ids, ", ")
	if more := len(found) - len(ids); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// isProjectID reports whether text is what Keystone makes as an id: 32 hexadecimal
// digits, or a UUID.
func isProjectID(text string) bool {
	const digits = 32
	return karbor.IsUUID(text) || len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
