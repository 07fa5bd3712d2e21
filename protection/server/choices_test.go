package server_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/protection/protectiontest"
)

// groupNamed makes a server group.
func (s *site) groupNamed(t *testing.T, name, policy string) string {
	t.Helper()
	return text(s.tenant.Make(t, "compute", "os-server-groups", "server_group", map[string]any{"name": name, "policy": policy}), "id")
}

// dropServerGroup deletes a server group.
func (s *site) dropServerGroup(t *testing.T, id string) {
	t.Helper()
	s.tenant.Do(t, "compute", http.MethodDelete, "os-server-groups/"+id, nil)
}

// TestServerIsInItsServerGroupAgain restores a server whose group is there, made anew by its tenant, or not.
func TestServerIsInItsServerGroupAgain(t *testing.T) {
	const name, policy = "apart", "anti-affinity"
	for what, c := range map[string]struct {
		twin  bool                                      // whether there is an older one of its name and policy
		since func(t *testing.T, s *site, group string) // what happens to the group before the restore
		lost  bool
		now   string // the restored server's group, "" for the original
	}{
		"the group is there":                          {},
		"the group is there, and another of its name": {twin: true},
		"it has been made anew": {now: name, since: func(t *testing.T, s *site, group string) {
			s.dropServerGroup(t, group)
			s.groupNamed(t, "other", policy)
			s.groupNamed(t, name, "affinity")
			s.groupNamed(t, name, policy)
		}},
		"it is gone": {lost: true, since: func(t *testing.T, s *site, group string) { s.dropServerGroup(t, group) }},
		"one of another policy is not": {lost: true, since: func(t *testing.T, s *site, group string) {
			s.dropServerGroup(t, group)
			s.groupNamed(t, name, "affinity")
		}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			if c.twin {
				s.groupNamed(t, name, policy)
			}
			n, group := s.tenant, s.groupNamed(t, name, policy)
			answer := n.Do(t, "compute", http.MethodPost, "servers", map[string]any{
				"server":             map[string]any{"name": "shop", "flavorRef": "1", "imageRef": s.image, "networks": "none"},
				"os:scheduler_hints": map[string]any{"group": group},
			})
			id := text(answer["server"].(map[string]any), "id")
			n.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
			destroy := func(t *testing.T) {
				n.Remove(t, "compute", "servers/"+id, "server")
				if c.since != nil {
					c.since(t, s, group)
				}
			}
			s.roundTrip(t, s.serverOf(id, destroy, func(t *testing.T, restored protectiontest.Restored) {
				groups, _ := n.Show(t, "compute", "servers/"+restored.ID, "server")["server_groups"].([]any)
				if lost := len(groups) == 0; lost != c.lost || lost != told(restored.NotKept, "server group", name) {
					t.Fatalf("the server is in the groups %v, and the tenant is told %q", groups, restored.NotKept)
				}
				if c.lost {
					return
				}
				now := n.Show(t, "compute", "os-server-groups/"+groups[0].(string), "server_group")
				if c.now == "" && now["id"] != group || now["name"] != name || now["policy"] != policy {
					t.Errorf("the server is in the group %v", now)
				}
			}))
		})
	}
}

// TestServerHasWhatIsChosenWhenItIsMade restores what no later request can change.
func TestServerHasWhatIsChosenWhenItIsMade(t *testing.T) {
	plain := map[string]any{"config_drive": "", "OS-DCF:diskConfig": "MANUAL", "accessIPv4": "", "accessIPv6": ""}
	for name, c := range map[string]struct{ asked, want map[string]any }{
		"nothing":          {},
		"a config drive":   {map[string]any{"config_drive": true}, map[string]any{"config_drive": "True"}},
		"a divided disk":   {map[string]any{"OS-DCF:diskConfig": "AUTO"}, map[string]any{"OS-DCF:diskConfig": "AUTO"}},
		"access addresses": {map[string]any{"accessIPv4": "192.0.2.7", "accessIPv6": "2001:db8::7"}, map[string]any{"accessIPv4": "192.0.2.7", "accessIPv6": "2001:db8::7"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, want := newSite(t), maps.Clone(plain)
			maps.Copy(want, c.want)
			id := s.boot(t, c.asked)
			s.roundTrip(t, s.serverOf(id, func(t *testing.T) { s.tenant.Remove(t, "compute", "servers/"+id, "server") },
				func(t *testing.T, restored protectiontest.Restored) {
					shown, now := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server"), map[string]any{}
					for member := range want {
						now[member] = shown[member]
					}
					if diff := cmp.Diff(want, now); diff != "" {
						t.Errorf("the restored server differs (-original +restored):\n%s", diff)
					}
				}))
		})
	}
}
