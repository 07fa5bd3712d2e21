package crossing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/openstack"
)

// kinds are what the tests make in a project, in the order in which it can go.
var kinds = []struct {
	service             service
	list, member, thing string
}{
	{openstack.Compute, "servers", "servers", "servers/"},
	{openstack.BlockStorage, "snapshots", "snapshots", "snapshots/"},
	{openstack.BlockStorage, "volumes", "volumes", "volumes/"},
	{openstack.SharedFileSystems, "shares", "shares", "shares/"},
	{openstack.Image, "images?owner=%s", "images", "images/"},
	{openstack.Network, "ports?project_id=%s", "ports", "ports/"},
	{openstack.Network, "networks?project_id=%s", "networks", "networks/"},
	{openstack.Network, "security-groups?project_id=%s", "security_groups", "security-groups/"},
}

// things gives what the account's project has of a kind: the names, by the ids.
func (a *account) things(kind int) map[string]string {
	a.t.Helper()
	k := kinds[kind]
	path := k.list
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, a.session.ProjectID())
	}
	found := map[string]string{}
	if a.lacks(k.service) {
		return found
	}
	list, _ := a.do(k.service, "GET", path, nil)[k.member].([]any)
	for _, item := range list {
		thing, _ := item.(map[string]any)
		// Neutron makes the group default, when a project is first asked for its groups.
		if id, _ := thing["id"].(string); thing["name"] != "default" || k.member != "security_groups" {
			found[id] = fmt.Sprint(thing["name"])
		}
	}
	return found
}

// everything gives a line for each thing that the account's project has.
func (a *account) everything() []string {
	a.t.Helper()
	var lines []string
	for i, k := range kinds {
		for id, name := range a.things(i) {
			lines = append(lines, k.thing+id+" "+name)
		}
	}
	slices.Sort(lines)
	return lines
}

// named is everything without the ids, which a restore does not keep, and without ports, which have no names.
func (a *account) named() []string {
	a.t.Helper()
	var lines []string
	for i, k := range kinds {
		for _, name := range a.things(i) {
			if k.member != "ports" {
				lines = append(lines, k.thing+name)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// tidied removes what the account's project has beyond what it has now, at the end of
// the test; the function that it gives does so at once.
func (a *account) tidied() func() {
	a.t.Helper()
	before := make([]map[string]string, len(kinds))
	for i := range kinds {
		before[i] = a.things(i)
	}
	remove := func() {
		for i, k := range kinds {
			until(a.t, "the project's "+k.member+" to go", func() bool {
				left := 0
				for id := range a.things(i) {
					if _, had := before[i][id]; !had {
						left++
						a.drop(k.service, k.thing+id)
					}
				}
				return left == 0
			})
		}
	}
	a.t.Cleanup(remove)
	return remove
}

// drop asks for the end of a thing, which may be going already.
func (a *account) drop(s service, path string) {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	client, err := s(ctx, a.session)
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := client.Delete(ctx, client.ServiceURL(path), nil)
	if err == nil {
		_ = response.Body.Close()
	}
}
