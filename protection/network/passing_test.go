package network_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// another makes a network with a subnet, a router on it, a security group, and a port, all with a description.
func another(t *testing.T, tenant *protectiontest.Tenant, name, description string, tags []string) (ids []string) {
	t.Helper()
	add := func(kind, one string, body map[string]any) string {
		body["name"], body["description"] = name, description
		id := text(tenant.Make(t, "network", kind, one, body), "id")
		if tags != nil {
			tenant.Do(t, "network", http.MethodPut, kind+"/"+id+"/tags", map[string]any{"tags": tags})
		}
		ids = append(ids, id)
		return id
	}
	network := add("networks", "network", map[string]any{})
	subnet := add("subnets", "subnet", map[string]any{"network_id": network, "ip_version": 4, "cidr": "192.168.99.0/24"})
	router := add("routers", "router", map[string]any{})
	tenant.Do(t, "network", http.MethodPut, "routers/"+router+"/add_router_interface", map[string]any{"subnet_id": subnet})
	add("security-groups", "security_group", map[string]any{})
	add("ports", "port", map[string]any{"network_id": network})
	return ids
}

// TestTopologyIsTheProjectsOwn protects the whole topology while drills and restores are at work.
func TestTopologyIsTheProjectsOwn(t *testing.T) {
	id := karbor.NewID()
	described := protection.OwnerMark(id) + "-" + karbor.NewID()
	for name, c := range map[string]struct {
		description string
		tags        []string
		kept        bool
		told        string
	}{
		"of a drill, not tagged yet":                {protection.DrillText(id, "0123456789abcdef", "network for x"), nil, false, ""},
		"of a drill, described anew":                {"mine", []string{protection.OwnerMark(id), protection.DrillMark("0123456789abcdef")}, false, ""},
		"not wholly restored":                       {protection.RestoringMark("0123456789abcdef") + " " + described, []string{protection.OwnerMark(id)}, false, "has not finished it"},
		"not wholly restored, where nobody is told": {described, nil, false, "has not finished it"},
		"restored": {"mine", []string{protection.OwnerMark(id)}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			ids := another(t, tenant, "other", c.description, c.tags)
			s := source(t, tenant, func(*town) string { return tenant.Cloud.ProjectID() })
			p := open(t)
			single := protectiontest.NewSingle(p, s)
			call := single.Begin(tenant.Cloud, nil, nil)
			if err := single.Run(t, p.Hooks(karbor.Protect, karbor.NetworkType).Main, call); err != nil {
				t.Fatal(err)
			}
			var doc map[string]any
			if err := call.Documents.GetJSON(t.Context(), "metadata", &doc); err != nil {
				t.Fatal(err)
			}
			if doc["left_out"] != nil {
				t.Errorf("the document has what was left out: %v", doc)
			}
			there := map[string]bool{}
			for _, kind := range []string{"networks", "subnets", "routers", "security_groups", "ports"} {
				list, _ := doc[kind].([]any)
				for _, one := range list {
					member, _ := one.(map[string]any)["id"].(string)
					there[member] = true
				}
			}
			if len(there) < 6 {
				t.Errorf("what is kept is %v", doc)
			}
			notKept := single.Result().NotKept
			for i, one := range ids {
				if there[one] != c.kept {
					t.Errorf("%s is kept: %t", one, there[one])
				}
				const subnet, port = 1, 4 // they go with their network
				if is := told(notKept, one, c.told); is != (c.told != "" && i != subnet && i != port) {
					t.Errorf("%s is told: %t, of %s", one, is, strings.Join(notKept, "\n"))
				}
			}
		})
	}
}
