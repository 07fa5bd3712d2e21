package network_test

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/protectiontest"
)

func open(t *testing.T) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte("{poll_interval: 20ms, timeout: 1m}"), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := network.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// town is a small topology.
type town struct {
	tenant                                   *protectiontest.Tenant
	network, subnet, router, web, data, port string
}

func text(m map[string]any, member string) string {
	s, _ := m[member].(string)
	return s
}

func build(t *testing.T, tenant *protectiontest.Tenant) *town {
	t.Helper()
	w := &town{tenant: tenant}
	group := func(name string) string {
		return text(tenant.Make(t, "network", "security-groups", "security_group", map[string]any{"name": name, "description": "for " + name}), "id")
	}
	w.web, w.data = group("web"), group("data")
	for _, rule := range []map[string]any{
		{"security_group_id": w.web, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "remote_ip_prefix": "10.0.0.0/8"},
		{"security_group_id": w.web, "direction": "egress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 5432, "port_range_max": 5432, "remote_group_id": w.data},
		{"security_group_id": w.data, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 5432, "port_range_max": 5432, "remote_group_id": w.web},
	} {
		tenant.Make(t, "network", "security-group-rules", "security_group_rule", rule)
	}
	w.network = text(tenant.Make(t, "network", "networks", "network", map[string]any{"name": "shop", "description": "of the shop", "mtu": 1400}), "id")
	tenant.Do(t, "network", http.MethodPut, "networks/"+w.network+"/tags", map[string]any{"tags": []string{"blue"}})
	w.subnet = text(tenant.Make(t, "network", "subnets", "subnet", map[string]any{
		"name": "shop-4", "network_id": w.network, "ip_version": 4, "cidr": "192.168.7.0/24", "gateway_ip": "192.168.7.1",
		"allocation_pools": []any{map[string]any{"start": "192.168.7.10", "end": "192.168.7.99"}},
		"dns_nameservers":  []string{"9.9.9.9"}, "host_routes": []any{map[string]any{"destination": "10.9.0.0/16", "nexthop": "192.168.7.5"}},
	}), "id")
	external := ""
	list, _ := tenant.Do(t, "network", http.MethodGet, "networks", nil)["networks"].([]any)
	for _, n := range list {
		if m := n.(map[string]any); m["router:external"] == true {
			external = text(m, "id")
		}
	}
	w.router = text(tenant.Make(t, "network", "routers", "router", map[string]any{
		"name": "door", "external_gateway_info": map[string]any{"network_id": external}}), "id")
	tenant.Do(t, "network", http.MethodPut, "routers/"+w.router+"/add_router_interface", map[string]any{"subnet_id": w.subnet})
	tenant.Do(t, "network", http.MethodPut, "routers/"+w.router, map[string]any{
		"router": map[string]any{"routes": []any{map[string]any{"destination": "10.8.0.0/16", "nexthop": "192.168.7.9"}}}})
	w.port = text(tenant.Make(t, "network", "ports", "port", map[string]any{
		"name": "virtual address", "network_id": w.network, "mac_address": "fa:16:3e:00:00:77",
		"fixed_ips": []any{map[string]any{"subnet_id": w.subnet, "ip_address": "192.168.7.50"}}, "security_groups": []string{w.web},
	}), "id")
	return w
}

func (w *town) destroy(t *testing.T) {
	t.Helper()
	w.tenant.Remove(t, "network", "ports/"+w.port, "port")
	w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router, map[string]any{"router": map[string]any{"routes": []any{}}})
	w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router+"/remove_router_interface", map[string]any{"subnet_id": w.subnet})
	w.tenant.Remove(t, "network", "routers/"+w.router, "router")
	w.tenant.Remove(t, "network", "networks/"+w.network, "network")
	rules, _ := w.tenant.Show(t, "network", "security-groups/"+w.web, "security_group")["security_group_rules"].([]any)
	for _, r := range rules {
		w.tenant.Remove(t, "network", "security-group-rules/"+text(r.(map[string]any), "id"), "security_group_rule")
	}
	w.tenant.Remove(t, "network", "security-groups/"+w.data, "security_group")
	w.tenant.Remove(t, "network", "security-groups/"+w.web, "security_group")
}

// query lists resources in the order of their names.
func query(t *testing.T, tenant *protectiontest.Tenant, path, member string) []map[string]any {
	t.Helper()
	list, _ := tenant.Do(t, "network", http.MethodGet, path, nil)[member].([]any)
	var out []map[string]any
	for _, x := range list {
		out = append(out, x.(map[string]any))
	}
	sort.Slice(out, func(i, j int) bool { return text(out[i], "name") < text(out[j], "name") })
	return out
}

func pick(from map[string]any, members ...string) map[string]any {
	out := map[string]any{}
	for _, m := range members {
		out[m] = from[m]
	}
	return out
}

// view gives what is to be kept of a topology, with names in place of ids.
func view(t *testing.T, tenant *protectiontest.Tenant, id string) map[string]any {
	t.Helper()
	out := map[string]any{"network": pick(tenant.Show(t, "network", "networks/"+id, "network"), "description", "mtu", "admin_state_up", "port_security_enabled")}
	for _, s := range query(t, tenant, "subnets?network_id="+id, "subnets") {
		out["subnet "+text(s, "name")] = pick(s, "cidr", "gateway_ip", "allocation_pools", "dns_nameservers", "host_routes", "enable_dhcp", "description")
	}
	names := map[string]string{}
	for _, g := range query(t, tenant, "security-groups", "security_groups") {
		names[text(g, "id")] = text(g, "name")
	}
	routers := map[string]bool{}
	for _, p := range query(t, tenant, "ports?network_id="+id, "ports") {
		ips, _ := p["fixed_ips"].([]any)
		address := ""
		for _, ip := range ips {
			address = text(ip.(map[string]any), "ip_address")
		}
		if text(p, "device_owner") != "" {
			routers[text(p, "device_id")] = true
			out["interface "+address] = true
			continue
		}
		entry := pick(p, "name", "mac_address", "admin_state_up", "description")
		entry["address"] = address
		groups, _ := p["security_groups"].([]any)
		for _, g := range groups {
			entry["group "+names[fmt.Sprint(g)]] = true
		}
		out["port "+text(p, "name")] = entry
	}
	for r := range routers {
		shown := tenant.Show(t, "network", "routers/"+r, "router")
		gateway, _ := shown["external_gateway_info"].(map[string]any)
		entry := pick(shown, "admin_state_up", "routes", "description")
		entry["gateway"] = gateway["network_id"]
		out["router "+text(shown, "name")] = entry
	}
	viewGroups(t, tenant, names, out)
	return out
}

// viewGroups adds the security groups with their rules.
func viewGroups(t *testing.T, tenant *protectiontest.Tenant, names map[string]string, out map[string]any) {
	t.Helper()
	for _, g := range query(t, tenant, "security-groups", "security_groups") {
		if text(g, "name") == "default" {
			continue
		}
		rules, _ := g["security_group_rules"].([]any)
		var lines []string
		for _, x := range rules {
			r := x.(map[string]any)
			lines = append(lines, fmt.Sprintln(r["direction"], r["ethertype"], r["protocol"], r["port_range_min"], r["port_range_max"],
				r["remote_ip_prefix"], names[text(r, "remote_group_id")]))
		}
		slices.Sort(lines)
		out["group "+text(g, "name")] = map[string]any{"description": g["description"], "rules": lines}
	}
}

func source(t *testing.T, tenant *protectiontest.Tenant, id func(*town) string) protectiontest.Source {
	t.Helper()
	w := build(t, tenant)
	original := view(t, tenant, w.network)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.NetworkType, ID: id(w), Name: "shop"}, "")
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Destroy: w.destroy,
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := restored.Parts[w.network]
			if node.ID == w.network && now != restored.ID {
				t.Errorf("the new id is %s, that of the network %s", restored.ID, now)
			}
			if diff := cmp.Diff(original, view(t, tenant, now)); diff != "" {
				t.Errorf("the restored topology differs (-original +restored):\n%s", diff)
			}
			shown := tenant.Show(t, "network", "networks/"+now, "network")
			tags, _ := shown["tags"].([]any)
			if shown["name"] != "shop" || !slices.Contains(tags, any("blue")) {
				t.Errorf("name %v, tags %v", shown["name"], tags)
			}
			for _, part := range []string{w.subnet, w.router, w.web, w.data, w.port} {
				if restored.Parts[part] == "" {
					t.Errorf("no new id was told for %s", part)
				}
			}
		},
	}
}

func TestNetworkComesBackWithWhatHangsOnIt(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.NetworkType, ChangesOnly: true, Session: tenant.Session, Inventory: tenant.Inventory,
		Make: func(t *testing.T) protectiontest.Source {
			return source(t, tenant, func(w *town) string { return w.network })
		},
	})
}

func caseOf(t *testing.T, tenant *protectiontest.Tenant) protectiontest.Case {
	return protectiontest.Case{Plugin: open(t), Type: karbor.NetworkType, Session: tenant.Session, Inventory: tenant.Inventory}
}

func TestProjectsTopologyComesBack(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	c := caseOf(t, tenant)
	c.Make = func(t *testing.T) protectiontest.Source {
		return source(t, tenant, func(*town) string { return tenant.Cloud.ProjectID() })
	}
	protectiontest.RoundTrip(t, c)
}

// TestNodesOfOneRestoreShareWhatTheyHaveInCommon restores a project's topology and
// one of its networks at the same time, as a plan of the whole project does.
func TestNodesOfOneRestoreShareWhatTheyHaveInCommon(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	first := source(t, tenant, func(w *town) string { return w.network })
	whole := first
	whole.Key = first.Graph.Add(karbor.Resource{Type: karbor.NetworkType, ID: tenant.Cloud.ProjectID()}, "").Key()
	whole.Destroy = func(*testing.T) {}
	whole.Check = func(*testing.T, protectiontest.Restored) {}
	sources := []protectiontest.Source{first, whole, first, whole}
	sources[2].Destroy = whole.Destroy
	protectiontest.Together(t, caseOf(t, tenant), sources, func(t *testing.T, all []protectiontest.Restored) {
		for _, other := range all[1:] {
			for part, id := range all[0].Parts {
				if other.Parts[part] != id {
					t.Errorf("%s became both %s and %s", part, id, other.Parts[part])
				}
			}
		}
	})
}

func TestNetworkThatStillExistsIsReusedUnlessACopyIsAskedFor(t *testing.T) {
	for name, parameters := range map[string]map[string]any{"reused": nil, "copied": {"restore_name": "copy"}} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			s := source(t, tenant, func(w *town) string { return w.network })
			id := s.Graph.Nodes()[0].ID
			s.Restore, s.Destroy = parameters, func(*testing.T) {}
			s.Check = func(t *testing.T, restored protectiontest.Restored) {
				if same := restored.ID == id; same != (parameters == nil) {
					t.Errorf("network %s came back as %s", id, restored.ID)
				}
				if shown := tenant.Show(t, "network", "networks/"+restored.ID, "network"); parameters != nil && shown["name"] != "copy" {
					t.Errorf("the copy is named %v", shown["name"])
				}
			}
			c := caseOf(t, tenant)
			c.Make = func(*testing.T) protectiontest.Source { return s }
			protectiontest.RoundTrip(t, c)
		})
	}
}
