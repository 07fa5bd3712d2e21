package policy_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
)

func TestDefaultRulesByRole(t *testing.T) {
	t.Parallel()
	const own, other = "p1", "p2"
	tests := []struct {
		name    string
		roles   []string
		project string
		read    bool
		write   bool
	}{
		{"a member", []string{"member", "reader"}, own, true, true},
		{"a manager", []string{"manager"}, own, true, true},
		{"a reader", []string{"reader"}, own, true, false},
		{"a reader with a role that is not ours", []string{"reader", "creator"}, own, true, false},
		{"an owner with a role that is not ours", []string{"creator"}, own, true, true},
		{"somebody without a role", nil, own, false, false},
		{"a member, elsewhere", []string{"member"}, other, false, false},
		{"a reader, elsewhere", []string{"reader"}, other, false, false},
		{"an administrator", []string{"admin"}, own, true, true},
		{"an administrator, elsewhere", []string{"admin"}, other, true, true},
	}
	e := policy.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id := &karbor.Identity{ProjectID: own, Roles: tt.roles}
			for _, r := range policy.Rules() {
				want := tt.read && r.Default == policy.Read || tt.write && r.Default == policy.Write
				if got := e.Allowed(r.Name, id, policy.Target{ProjectID: tt.project}); got != want {
					t.Errorf("%s: allowed %t, want %t", r.Name, got, want)
				}
			}
		})
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
	if e.Known("plan:burn") || e.Allowed("plan:burn", admin, policy.Target{ProjectID: "p"}) {
		t.Error("an unknown rule lets an administrator")
	}
}

func TestAnIdentityWithoutProjectOwnsNothing(t *testing.T) {
	t.Parallel()
	id := &karbor.Identity{Roles: []string{"member"}}
	if policy.New().Allowed("plan:get", id, policy.Target{}) {
		t.Error("a token without a project reads")
	}
}
