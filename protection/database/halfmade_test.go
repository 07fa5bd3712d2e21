package database_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestAnInstanceProtectedBeforeItHadItsNameGetsOne protects an instance that another restore is at: the name that it has
// then is not the tenant's, and Trove has no instance without one.
func TestAnInstanceProtectedBeforeItHadItsNameGetsOne(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	unfinished := "karbor-restoring-here karbor-" + karbor.NewID() + "-" + karbor.NewID()
	source := newShop(t, tenant, map[string]any{"name": unfinished})
	s := protectiontest.NewSingle(p, source.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	call := s.Begin(tenant.Cloud, nil, nil)
	if err := s.Run(t, hook(p, karbor.RestoreOperation), call); err != nil {
		t.Fatal(err)
	}
	name := tenant.Show(t, service, "instances/"+s.Result().ID, "instance")["name"]
	if want := "database " + source.id; name != want {
		t.Errorf("it is named %q, want %q", name, want)
	}
	if told := s.Result().NotKept; !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "database "+source.id) }) {
		t.Errorf("the tenant is told %q", told)
	}
}

// TestAnInstanceThatSomebodyElseHasBegunForTheRestoreIsTheRestores is of an instance that the restore has asked for and did not live
// to note.
func TestAnInstanceThatSomebodyElseHasBegunForTheRestoreIsTheRestores(t *testing.T) {
	for name, begun := range map[string]func(call *protection.Call) string{
		"the release before":                 func(call *protection.Call) string { return call.Name() },
		"this one":                           func(call *protection.Call) string { return call.RestoringText(call.Name()) },
		"this one, when it had another name": func(call *protection.Call) string { return "karbor-restoring-there " + call.Name() },
	} {
		t.Run(name, func(t *testing.T) {
			tenant, p := protectiontest.NewTenant(t), open(t, quick)
			s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
			if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			hooks := p.Hooks(karbor.RestoreOperation, karbor.DatabaseType)
			before := inventory(tenant)(t)
			for _, goesOn := range []bool{true, false} {
				call := s.Begin(tenant.Cloud, nil, nil)
				half := fmt.Sprint(tenant.Make(t, service, "instances", "instance", map[string]any{"name": begun(call), "flavorRef": "2",
					"volume": map[string]any{"size": 3}, "datastore": map[string]any{"type": "mysql", "version": "8.0.36"}})["id"])
				tenant.Await(t, service, "instances/"+half, "instance", "ACTIVE")
				if err := call.Scratch.Save(t.Context(), map[string]any{"begun": true}); err != nil {
					t.Fatal(err)
				}
				if goesOn {
					if err := s.Run(t, hooks.Main, call); err != nil || s.Result().ID != half {
						t.Fatalf("the restored instance is %s, want %s; %v", s.Result().ID, half, err)
					}
				}
				if err := s.Run(t, hooks.Undo, call); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, inventory(tenant)(t)); diff != "" {
					t.Errorf("after undoing (-before +after):\n%s", diff)
				}
			}
		})
	}
}
