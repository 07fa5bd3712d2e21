package network_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestNetworkIsMappedToOneThatIsThere(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	network := text(tenant.Make(t, "network", "networks", "network", map[string]any{"name": "refuge"}), "id")
	subnet := text(tenant.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}), "id")
	group := text(tenant.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "refuge"}), "id")
	town := func(t *testing.T) (protectiontest.Source, *town) {
		w := build(t, tenant)
		g := &karbor.Graph{}
		node := g.Add(karbor.Resource{Type: karbor.NetworkType, ID: w.network, Name: "shop"}, "")
		return protectiontest.Source{Graph: g, Key: node.Key(), Destroy: w.destroy}, w
	}
	c := protectiontest.Case{
		Plugin: open(t), Type: karbor.NetworkType, Session: tenant.Session, Inventory: tenant.Inventory,
		Make: func(t *testing.T) protectiontest.Source {
			s, w := town(t)
			s.Restore = map[string]any{
				"restore_networks": map[string]any{w.network: network}, "restore_subnets": map[string]any{w.subnet: subnet},
				"restore_security_groups": map[string]any{"*": "refuge"},
			}
			s.Check = func(t *testing.T, restored protectiontest.Restored) {
				if restored.ID != network || restored.Parts[w.subnet] != subnet || restored.Parts[w.web] != group {
					t.Errorf("network, subnet and group are %s, %s and %s", restored.ID, restored.Parts[w.subnet], restored.Parts[w.web])
				}
				if n := len(query(t, tenant, "networks?name=shop", "networks")); n != 0 {
					t.Errorf("%d networks were made", n)
				}
				if n := len(query(t, tenant, "security-groups?name=web", "security_groups")); n != 0 {
					t.Errorf("%d security groups were made", n)
				}
				if told := strings.Join(restored.Mapped, " "); !strings.Contains(told, network) || !strings.Contains(told, subnet) || !strings.Contains(told, group) {
					t.Errorf("what was mapped is not told: %s", told)
				}
			}
			return s
		},
	}
	protectiontest.RoundTrip(t, c)
	for _, parameter := range []string{"restore_networks", "restore_security_groups", "restore_subnets"} {
		missing := c
		missing.Make = func(t *testing.T) protectiontest.Source {
			s, _ := town(t)
			s.Restore = map[string]any{parameter: map[string]any{"*": karbor.NewID()}}
			if parameter == "restore_subnets" {
				s.Restore["restore_networks"] = map[string]any{"*": network}
			}
			return s
		}
		if err := protectiontest.Refused(t, missing); karbor.IsTransient(err) || !strings.Contains(err.Error(), parameter) {
			t.Errorf("%s gives %v", parameter, err)
		}
	}
}
