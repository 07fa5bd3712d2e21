package server_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// halfMade calls do for the ports, security groups and floating addresses that a restore is not done with.
func (s *site) halfMade(t *testing.T, do func(path, one, description string)) {
	t.Helper()
	for _, kind := range [][2]string{{"ports", "port"}, {"security-groups", "security_group"}, {"floatingips", "floatingip"}} {
		list, _ := s.tenant.Do(t, "network", http.MethodGet, kind[0], nil)[kind[1]+"s"].([]any)
		for _, x := range list {
			made := x.(map[string]any)
			if was := text(made, "description"); strings.HasPrefix(was, "karbor-restoring-") {
				do(kind[0]+"/"+text(made, "id"), kind[1], was)
			}
		}
	}
}

func (s *site) describe(t *testing.T, path, one, description string) {
	t.Helper()
	s.tenant.Do(t, "network", http.MethodPut, path, map[string]any{one: map[string]any{"description": description}})
}

// old makes of what a restore has begun what a release before the mark has begun.
func (s *site) old(t *testing.T) {
	t.Helper()
	s.halfMade(t, func(path, one, was string) {
		_, old, _ := strings.Cut(was, " ")
		s.describe(t, path, one, old)
		s.tenant.Do(t, "network", http.MethodPut, path+"/tags", map[string]any{"tags": []string{}})
	})
}

func undone(hooks protection.Hooks) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error { return protection.Undo(ctx, hooks.Undo, call) }
}

// TestWhatIsHalfMadeIsKnownWhateverItsDescriptionSays has a restore end at a request. What it has made by then is
// found again by whoever comes.
func TestWhatIsHalfMadeIsKnownWhateverItsDescriptionSays(t *testing.T) {
	ends := map[string]fabric.Fault{
		"before the server":                     {Service: "nova", Method: http.MethodPost, Path: "/servers$"},
		"before the floating address is joined": {Service: "neutron", Method: http.MethodPut, Path: "/floatingips/[^/]+$"},
	}
	for name, change := range map[string]func(t *testing.T, s *site, call *protection.Call){
		"described by its tenant": func(t *testing.T, s *site, _ *protection.Call) {
			s.halfMade(t, func(path, one, _ string) { s.describe(t, path, one, "mine") })
		},
		"the installation has another name": func(_ *testing.T, _ *site, call *protection.Call) { call.Installation = "there" },
		"of the release before":             func(t *testing.T, s *site, _ *protection.Call) { s.old(t) },
	} {
		for end, fault := range ends {
			for _, again := range []bool{false, true} {
				t.Run(end+", "+name+map[bool]string{true: ", and goes on", false: ", and is undone"}[again], func(t *testing.T) {
					s := newSite(t)
					source := s.source(t, true)
					single, hooks := protectiontest.NewSingle(open(t), source), open(t).Hooks(karbor.RestoreOperation, karbor.ServerType)
					if err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
						t.Fatal(err)
					}
					source.Destroy(t)
					s.dropGroup(t)
					children, _ := source.Children(t)
					before := s.tenant.Inventory(t)
					call := single.Begin(s.tenant.Cloud, maps.Clone(children.Nodes), nil)
					call.Service = s.tenant.Admin(t, http.DefaultClient)
					fault.Status, fault.Times = http.StatusForbidden, 1
					s.tenant.Fault(t, fault)
					if err := single.Run(t, hooks.Complete, call); err == nil {
						t.Fatal("the restore got to its end")
					}
					change(t, s, call)
					if again {
						if err := single.Run(t, hooks.Complete, call); err != nil {
							t.Fatal(err)
						}
					}
					if err := single.Run(t, undone(hooks), call); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(before, s.tenant.Inventory(t)); diff != "" {
						t.Errorf("after undoing (-before +after):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestUndoFindsThePortsOfTheReleaseBeforeWithoutTheDocument(t *testing.T) {
	s := newSite(t)
	id := s.boot(t, nil)
	single := protectiontest.NewSingle(open(t), s.serverOf(id, nil, nil))
	if err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	s.tenant.Remove(t, "compute", "servers/"+id, "server")
	before := s.tenant.Inventory(t)
	s.tenant.Fault(t, fabric.Fault{Service: "nova", Method: http.MethodPost, Path: "/servers$", Status: http.StatusForbidden})
	hooks, call := open(t).Hooks(karbor.RestoreOperation, karbor.ServerType), single.Begin(s.tenant.Cloud, nil, nil)
	if err := single.Run(t, hooks.Complete, call); err == nil {
		t.Fatal("the restore got to its end")
	}
	s.old(t)
	call.Documents = gone{}
	if err := single.Run(t, undone(hooks), call); err != nil && !strings.Contains(err.Error(), "keypair") {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, s.tenant.Inventory(t)); diff != "" {
		t.Errorf("after undoing (-before +after):\n%s", diff)
	}
}
