package network_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// of is a case of one source.
func of(t *testing.T, tenant *protectiontest.Tenant, s protectiontest.Source) protectiontest.Case {
	t.Helper()
	c := caseOf(t, tenant)
	c.Make = func(*testing.T) protectiontest.Source { return s }
	return c
}

func told(sentences []string, words ...string) bool {
	return slices.ContainsFunc(sentences, func(s string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) })
	})
}

func TestExhaustedQuotaOfEachKindIsToldAndNothingIsLeft(t *testing.T) {
	for path, kind := range map[string]string{
		"POST /v2.0/networks$": "network", "POST /v2.0/subnets$": "subnet", "POST /v2.0/routers$": "router", "POST /v2.0/ports$": "port",
		"POST /v2.0/security-groups$": "security group", "POST /v2.0/security-group-rules$": "security group", "PUT /add_router_interface$": "joining subnet",
	} {
		t.Run(path, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			s := source(t, tenant, func(w *town) string { return w.network })
			method, suffix, _ := strings.Cut(path, " ")
			s = protectiontest.Afterwards(s, func(t *testing.T) {
				tenant.Fault(t, fabric.Fault{Service: "neutron", Method: method, Path: suffix, Status: 409, Message: "Quota exceeded for resources: ['" + kind + "']."})
			})
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, of(t, tenant, s)), karbor.OverLimit, kind, "Quota exceeded")
		})
	}
}

func TestWhatVanishesWhileItIsWiredIsNamedAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, list, original string
		kind                         karbor.Kind
	}{
		"the network before its subnet": {http.MethodPost, "/subnets$", "networks", "subnet", karbor.NotFound},
		"the subnet before its router":  {http.MethodPut, "/add_router_interface$", "subnets", "router", karbor.NotFound},
		"the router before its subnet":  {http.MethodPut, "/add_router_interface$", "routers", "subnet", karbor.NotFound},
		"the port before its tags":      {http.MethodPut, "/ports/[^/]+/tags$", "ports", "port", karbor.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			way := &protectiontest.Meanwhile{}
			s := source(t, tenant, func(w *town) string { return w.network })
			s = protectiontest.Afterwards(s, func(t *testing.T) {
				way.Before(t, c.method, c.path, func() {
					for _, made := range query(t, tenant, c.list, c.list) {
						if made["project_id"] == tenant.Cloud.ProjectID() && text(made, "name") != "" {
							tenant.Remove(t, "network", c.list+"/"+text(made, "id"), strings.TrimSuffix(c.list, "s"))
						}
					}
				})
			})
			one := of(t, tenant, s)
			one.Transport = way
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, one), c.kind, c.original)
		})
	}
}

// TestNetworkThatGoesWhileItIsReadIsNotKeptByHalves has the network deleted when it has been
// shown, and before its subnets are listed, or when all that is on it has been listed.
func TestNetworkThatGoesWhileItIsReadIsNotKeptByHalves(t *testing.T) {
	for _, c := range []struct {
		whole bool
		at    string
	}{{false, "/subnets$"}, {true, "/subnets$"}, {true, "/networks/[^/]+$"}} {
		whole := c.whole
		tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
		w := build(t, tenant)
		id := w.network
		if whole {
			id = tenant.Cloud.ProjectID()
		}
		g := &karbor.Graph{}
		node := g.Add(karbor.Resource{Type: karbor.NetworkType, ID: id, Name: "shop"}, "")
		way.Before(t, http.MethodGet, c.at, func() { w.destroy(t) })
		single := protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: node.Key()})
		call := single.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil)
		err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.NetworkType).Main, call)
		if !whole {
			protectiontest.ExpectRefusal(t, err, karbor.NotFound, "network", w.network)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Networks, Subnets, Ports []struct{ ID string }
			Routers                  []struct{ Interfaces []any }
		}
		if err := call.Documents.GetJSON(t.Context(), "metadata", &doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.Networks) > 0 {
			t.Errorf("of the project is kept %v, without subnets", doc.Networks)
		}
		joined := slices.ContainsFunc(doc.Routers, func(r struct{ Interfaces []any }) bool { return len(r.Interfaces) > 0 })
		if len(doc.Subnets) > 0 || len(doc.Ports) > 0 || joined {
			t.Errorf("of what is gone before %s the subnets %v and the ports %v are kept, and the routers %v", c.at, doc.Subnets, doc.Ports, doc.Routers)
		}
	}
}

// uplink gives the router of a town a gateway in an external network of its own.
func uplink(t *testing.T, tenant *protectiontest.Tenant, admin *protectiontest.Tenant, name string) string {
	t.Helper()
	id := text(admin.Make(t, "network", "networks", "network", map[string]any{"name": name, "router:external": true}), "id")
	admin.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": id, "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": false})
	for _, r := range query(t, tenant, "routers", "routers") {
		tenant.Do(t, "network", http.MethodPut, "routers/"+text(r, "id"), map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": id}}})
	}
	return id
}

func TestGatewayWhoseNetworkIsGoneOrNotOneIsToldWithWhatToDo(t *testing.T) {
	for name, twins := range map[string]int{"gone": 0, "two of its name": 2} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			admin := *tenant
			admin.Cloud = tenant.Admin(t, http.DefaultClient)
			s := source(t, tenant, func(w *town) string { return w.network })
			external := uplink(t, tenant, &admin, "uplink")
			s = protectiontest.Afterwards(s, func(t *testing.T) {
				admin.Remove(t, "network", "networks/"+external, "network")
				for range twins {
					admin.Make(t, "network", "networks", "network", map[string]any{"name": "uplink", "router:external": true})
				}
			})
			s.Check = func(t *testing.T, restored protectiontest.Restored) {
				if !told(restored.NotKept, "door", "no gateway", "uplink", "map") {
					t.Errorf("the tenant is told %q", restored.NotKept)
				}
				for _, r := range query(t, tenant, "routers", "routers") {
					if r["external_gateway_info"] != nil {
						t.Errorf("the router has the gateway %v", r["external_gateway_info"])
					}
				}
			}
			protectiontest.RoundTrip(t, of(t, tenant, s))
		})
	}
}

func TestExternalNetworkWithoutAddressesEndsTheRestoreAndNothingIsLeft(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	s := protectiontest.Afterwards(source(t, tenant, func(w *town) string { return w.network }), func(t *testing.T) {
		tenant.Fault(t, fabric.Fault{Service: "neutron", Method: "PUT", Path: "/routers/[^/]+$", Status: 409, Message: "No more IP addresses available on network public."})
	})
	protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, of(t, tenant, s)), karbor.Conflict, "gateway of router", "No more IP addresses")
}

// TestAddressThatIsTakenWhileTheNetworkIsMadeIsTold has a port of somebody else's take the
// addresses of the tenant's before it is made.
func TestAddressThatIsTakenWhileTheNetworkIsMadeIsTold(t *testing.T) {
	tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
	var squatter string
	s := protectiontest.Afterwards(source(t, tenant, func(w *town) string { return w.network }), func(t *testing.T) {
		way.Before(t, http.MethodPost, "/ports$", func() {
			net := text(query(t, tenant, "networks?name=shop", "networks")[0], "id")
			subnet := text(query(t, tenant, "subnets?network_id="+net, "subnets")[0], "id")
			squatter = text(tenant.Make(t, "network", "ports", "port", map[string]any{"name": "squatter", "network_id": net, "mac_address": "fa:16:3e:00:00:77",
				"fixed_ips": []any{map[string]any{"subnet_id": subnet, "ip_address": "192.168.7.50"}}}), "id")
		})
	})
	s.Check = func(t *testing.T, restored protectiontest.Restored) {
		if !told(restored.NotKept, "virtual address", "in use") {
			t.Errorf("the tenant is told %q", restored.NotKept)
		}
		tenant.Remove(t, "network", "ports/"+squatter, "port")
	}
	one := of(t, tenant, s)
	one.Transport = way
	protectiontest.RoundTrip(t, one)
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	for _, whole := range []bool{false, true} {
		tenant := protectiontest.NewTenant(t)
		one := of(t, tenant, source(t, tenant, func(w *town) string {
			if whole {
				return tenant.Cloud.ProjectID()
			}
			return w.network
		}))
		one.Transport = protectiontest.Doubling{}
		protectiontest.RoundTrip(t, one)
	}
}

// twin makes a network with a subnet, a group with a rule, a router and a port, all of the
// same names as those of its twins.
func twin(t *testing.T, tenant *protectiontest.Tenant, port int) (network string, remove func()) {
	t.Helper()
	network = text(tenant.Make(t, "network", "networks", "network", map[string]any{"name": "twin"}), "id")
	subnet := text(tenant.Make(t, "network", "subnets", "subnet", map[string]any{"name": "twin", "network_id": network, "ip_version": 4, "cidr": "10.7.0.0/24"}), "id")
	group := text(tenant.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "twin"}), "id")
	tenant.Make(t, "network", "security-group-rules", "security_group_rule", map[string]any{
		"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port, "port_range_max": port})
	router := text(tenant.Make(t, "network", "routers", "router", map[string]any{"name": "twin"}), "id")
	tenant.Do(t, "network", http.MethodPut, "routers/"+router+"/add_router_interface", map[string]any{"subnet_id": subnet})
	own := text(tenant.Make(t, "network", "ports", "port", map[string]any{"name": "twin", "network_id": network, "security_groups": []string{group}}), "id")
	return network, func() {
		tenant.Remove(t, "network", "ports/"+own, "port")
		tenant.Do(t, "network", http.MethodPut, "routers/"+router+"/remove_router_interface", map[string]any{"subnet_id": subnet})
		tenant.Remove(t, "network", "routers/"+router, "router")
		tenant.Remove(t, "network", "networks/"+network, "network")
		tenant.Remove(t, "network", "security-groups/"+group, "security_group")
	}
}

func TestThingsOfOneNameStayApart(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	first, removeFirst := twin(t, tenant, 81)
	second, removeSecond := twin(t, tenant, 82)
	// The view has one group of a name; which one, it does not tell.
	look := func(network string) map[string]any {
		seen := view(t, tenant, network)
		delete(seen, "group twin")
		return seen
	}
	views := map[string]map[string]any{first: look(first), second: look(second)}
	portsOf := func(network string) (groups []any) {
		for _, p := range query(t, tenant, "ports?name=twin&network_id="+network, "ports") {
			groups, _ = p["security_groups"].([]any)
		}
		return groups
	}
	opened := func(group any) any {
		shown := tenant.Show(t, "network", "security-groups/"+group.(string), "security_group")
		for _, r := range shown["security_group_rules"].([]any) {
			if low := r.(map[string]any)["port_range_min"]; low != nil {
				return low
			}
		}
		return nil
	}
	before := map[string]any{first: opened(portsOf(first)[0]), second: opened(portsOf(second)[0])}
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.NetworkType, ID: tenant.Cloud.ProjectID()}, "")
	protectiontest.RoundTrip(t, of(t, tenant, protectiontest.Source{
		Graph: g, Key: node.Key(),
		Destroy: func(*testing.T) { removeFirst(); removeSecond() },
		Check: func(t *testing.T, restored protectiontest.Restored) {
			for original, was := range views {
				now := restored.Parts[original]
				if diff := cmp.Diff(was, look(now)); diff != "" || now == "" {
					t.Errorf("network %s came back otherwise (-original +restored):\n%s", original, diff)
				}
				groups := portsOf(now)
				if len(groups) != 1 || opened(groups[0]) != before[original] {
					t.Errorf("the port of network %s is in the groups %v, want one that opens %v", original, groups, before[original])
				}
			}
		},
	}))
}

func TestGroupOfANameThatSeveralHaveIsNotGuessed(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	s := protectiontest.Afterwards(source(t, tenant, func(w *town) string { return w.network }), func(t *testing.T) {
		for range 2 {
			tenant.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "twin"})
		}
	})
	s.Restore = map[string]any{"restore_" + protection.MapSecurityGroups: map[string]any{"web": "twin"}}
	protectiontest.ExpectRefusal(t, protectiontest.Refused(t, of(t, tenant, s)), karbor.FailedDependency, "restore_security_groups", "2", "twin", "id")
}
