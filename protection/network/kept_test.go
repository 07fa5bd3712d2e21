package network_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// defaultGroup gives the id of a project's default group, and how many of its rules
// let SSH in.
func defaultGroup(t *testing.T, tenant *protectiontest.Tenant) (id string, ssh []string) {
	t.Helper()
	for _, g := range query(t, tenant, "security-groups?name=default&project_id="+tenant.Cloud.ProjectID(), "security_groups") {
		id = text(g, "id")
		rules, _ := g["security_group_rules"].([]any)
		for _, r := range rules {
			if r.(map[string]any)["port_range_min"] == 22.0 {
				ssh = append(ssh, text(r.(map[string]any), "id"))
			}
		}
	}
	return id, ssh
}

func openSSH(t *testing.T, tenant *protectiontest.Tenant) {
	t.Helper()
	id, _ := defaultGroup(t, tenant)
	tenant.Make(t, "network", "security-group-rules", "security_group_rule", map[string]any{
		"security_group_id": id, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22})
}

// TestDefaultGroupOnlyGetsRulesThatAreAskedFor closes SSH after the protection: no
// restore opens it again unless it is told to.
func TestDefaultGroupOnlyGetsRulesThatAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]any
		want       int
	}{
		"not asked": {nil, 0}, "asked": {map[string]any{"restore_default_rules": true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			openSSH(t, tenant)
			s := source(t, tenant, func(*town) string { return tenant.Cloud.ProjectID() })
			destroy := s.Destroy
			s.Restore = c.parameters
			s.Destroy = func(t *testing.T) {
				destroy(t)
				_, ssh := defaultGroup(t, tenant)
				tenant.Remove(t, "network", "security-group-rules/"+ssh[0], "security_group_rule")
			}
			s.Check = func(t *testing.T, restored protectiontest.Restored) {
				if _, ssh := defaultGroup(t, tenant); len(ssh) != c.want {
					t.Errorf("SSH is open by %d rules; want %d", len(ssh), c.want)
				}
				if !slices.ContainsFunc(restored.NotKept, func(n string) bool { return strings.Contains(n, `"default"`) }) {
					t.Errorf("the tenant was told nothing of the default group: %q", restored.NotKept)
				}
			}
			one := caseOf(t, tenant)
			one.Make = func(*testing.T) protectiontest.Source { return s }
			protectiontest.RoundTrip(t, one)
		})
	}
}

func TestDefaultGroupOfAnotherProjectGetsTheRulesAndThatIsTold(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	admin := *tenant
	admin.Cloud = tenant.Admin(t, http.DefaultClient)
	openSSH(t, tenant)
	s := source(t, tenant, func(*town) string { return tenant.Cloud.ProjectID() })
	single := protectiontest.NewSingle(open(t), s)
	if err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.NetworkType).Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	s.Destroy(t)
	hooks, call := open(t).Hooks(karbor.RestoreOperation, karbor.NetworkType), single.Begin(admin.Cloud, nil, nil)
	if err := single.Run(t, hooks.Main, call); err != nil {
		t.Fatal(err)
	}
	if _, ssh := defaultGroup(t, &admin); len(ssh) != 1 {
		t.Errorf("SSH is open by %d rules of the other project's group; want 1", len(ssh))
	}
	if got := single.Result().NotKept; !slices.ContainsFunc(got, func(n string) bool { return strings.Contains(n, `"default" was there already`) }) {
		t.Errorf("the tenant was not told: %q", got)
	}
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if _, ssh := defaultGroup(t, &admin); len(ssh) != 0 {
		t.Errorf("after undoing, SSH is open by %d rules", len(ssh))
	}
}
