package policy_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
)

func TestDefaultRulesByRole(t *testing.T) {
	t.Parallel()
	const own, other = "p1", "p2"
	type rights struct{ read, write, manage, admin bool }
	tests := []struct {
		name    string
		roles   []string
		project string
		legacy  rights
		strict  rights
	}{
		{"a member", []string{"member", "reader"}, own, rights{read: true, write: true}, rights{read: true, write: true}},
		{"a member in other letters", []string{"Member"}, own, rights{read: true, write: true}, rights{read: true, write: true}},
		{"a manager", []string{"manager"}, own, rights{true, true, true, false}, rights{true, true, true, false}},
		{"a reader", []string{"reader"}, own, rights{read: true}, rights{read: true}},
		{"a reader with a role that is not ours", []string{"reader", "creator"}, own, rights{read: true}, rights{read: true}},
		{"an owner with a role that is not ours", []string{"creator"}, own, rights{read: true, write: true}, rights{}},
		{"somebody without a role", nil, own, rights{}, rights{}},
		{"a member, elsewhere", []string{"member"}, other, rights{}, rights{}},
		{"a manager, elsewhere", []string{"manager"}, other, rights{}, rights{}},
		{"a reader, elsewhere", []string{"reader"}, other, rights{}, rights{}},
		{"a service, elsewhere", []string{"service"}, other, rights{}, rights{}},
		{"an administrator", []string{"admin"}, own, rights{true, true, true, true}, rights{true, true, true, true}},
		{"an administrator, elsewhere", []string{"admin"}, other, rights{true, true, true, true}, rights{true, true, true, true}},
	}
	strict, err := policy.Open(policy.Options{EnforceNewDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		id := &karbor.Identity{ProjectID: own, Roles: tt.roles}
		for _, r := range policy.Rules() {
			for e, give := range map[*policy.Enforcer]rights{policy.New(): tt.legacy, strict: tt.strict} {
				want := map[policy.Access]bool{
					policy.Read: give.read, policy.Write: give.write, policy.Manage: give.manage, policy.AdminOnly: give.admin,
				}[r.Default]
				if got := e.Allowed(r.Name, id, policy.Target{ProjectID: tt.project}); got != want {
					t.Errorf("%s, %s (new defaults: %t): allowed %t, want %t", tt.name, r.Name, e == strict, got, want)
				}
			}
		}
	}
}

func TestAnAdministratorOutsideTheAdminProjectIsNone(t *testing.T) {
	t.Parallel()
	e := policy.New()
	id := &karbor.Identity{ProjectID: "p", Roles: []string{"admin"}}
	if !e.Crosses("plan:get", id) || !e.ListsAll("plan:get_all", id) {
		t.Error("an administrator does not cross projects")
	}
	id.OutsideAdminProject = true
	if e.Crosses("plan:get", id) || e.ListsAll("plan:get_all", id) || e.Allowed("quota:update", id, policy.Target{ProjectID: "p"}) {
		t.Error("an administrator of another project than the admin project is one of the cloud")
	}
}

func TestCheckForbidsAndNamesTheRule(t *testing.T) {
	t.Parallel()
	e := policy.New()
	id := &karbor.Identity{ProjectID: "p", Roles: []string{"reader"}}
	err := e.Check(t.Context(), "plan:create", id, policy.Target{ProjectID: "p"})
	if karbor.KindOf(err) != karbor.Forbidden || !strings.Contains(karbor.Sentence(err), "plan:create") {
		t.Errorf("got %v", err)
	}
	if err := e.Check(t.Context(), "plan:get", id, policy.Target{ProjectID: "p"}); err != nil {
		t.Errorf("a reader may not show: %v", err)
	}
}

func TestAnUnknownRuleLetsNobody(t *testing.T) {
	t.Parallel()
	e := policy.New()
	admin := &karbor.Identity{ProjectID: "p", Roles: []string{"admin"}}
	for _, rule := range []string{"plan:burn", "admin_api", ""} {
		if e.Known(rule) || e.Allowed(rule, admin, policy.Target{ProjectID: "p"}) {
			t.Errorf("the rule %q lets an administrator", rule)
		}
	}
}

func TestAnIdentityWithoutProjectOwnsNothing(t *testing.T) {
	t.Parallel()
	id := &karbor.Identity{Roles: []string{"member"}}
	if policy.New().Allowed("plan:get", id, policy.Target{}) {
		t.Error("a token without a project reads")
	}
}

func TestADecisionIsSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	e := policy.New()
	id := &karbor.Identity{ProjectID: "p", Roles: []string{"member"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if !e.Allowed("plan:create", id, policy.Target{ProjectID: "p"}) || e.Crosses("plan:create", id) {
					t.Error("a member's right changes")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCheck(b *testing.B) {
	e := policy.New()
	for name, roles := range map[string][]string{"member": {"member", "reader"}, "other role": {"creator"}, "admin": {"admin", "manager", "member", "reader"}} {
		id := &karbor.Identity{UserID: "u", ProjectID: "11111111111111111111111111111111", Roles: roles}
		target := policy.Target{ProjectID: id.ProjectID}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !e.Allowed("plan:create", id, target) {
					b.Fatal("not allowed")
				}
			}
		})
	}
}
