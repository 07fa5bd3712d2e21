package network_test

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// unjoin takes the router's interface and its routes away, and the port that the tenant has on the subnet.
func (w *town) unjoin(t *testing.T) {
	t.Helper()
	w.tenant.Remove(t, "network", "ports/"+w.port, "port")
	w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router, map[string]any{"router": map[string]any{"routes": []any{}}})
	w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router+"/remove_router_interface", map[string]any{"subnet_id": w.subnet})
}

// TestWhatAReusedNetworkLacksIsTold has the network be there still, and not all that hung on it.
func TestWhatAReusedNetworkLacksIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(t *testing.T, w *town)
		// told are the words of each sentence, both of the look ahead and of the restore.
		told [][]string
	}{
		"nothing": {func(*testing.T, *town) {}, nil},
		"its subnet": {func(t *testing.T, w *town) {
			w.unjoin(t)
			w.tenant.Remove(t, "network", "subnets/"+w.subnet, "subnet")
		}, [][]string{{`"shop"`, `subnet "shop-4"`}, {`"shop"`, `router "door"`, "no interface"}}},
		"its router's interface": {func(t *testing.T, w *town) { w.unjoin(t) }, [][]string{{`"shop"`, `router "door"`, "no interface"}}},
		"its router": {func(t *testing.T, w *town) {
			w.unjoin(t)
			w.tenant.Remove(t, "network", "routers/"+w.router, "router")
		}, [][]string{{`"shop"`, `router "door"`, "not there"}}},
		"its router's gateway": {func(t *testing.T, w *town) {
			w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{}}})
		}, [][]string{{`router "door"`, "gateway"}}},
		"its subnet, which another has taken the place of": {func(t *testing.T, w *town) {
			w.unjoin(t)
			w.tenant.Remove(t, "network", "subnets/"+w.subnet, "subnet")
			again := text(w.tenant.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": w.network, "ip_version": 4, "cidr": "192.168.7.0/24", "gateway_ip": "192.168.7.1"}), "id")
			w.tenant.Do(t, "network", http.MethodPut, "routers/"+w.router+"/add_router_interface", map[string]any{"subnet_id": again})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			var w *town
			s := source(t, tenant, func(made *town) string { w = made; return made.network })
			p, single := open(t), protectiontest.NewSingle(open(t), s)
			if err := single.Run(t, p.Hooks(karbor.Protect, karbor.NetworkType).Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			c.lose(t, w)
			hooks, look := p.Hooks(karbor.RestoreOperation, karbor.NetworkType), single.Begin(tenant.Cloud, nil, nil)
			forecast, err := hooks.Preflight(t.Context(), look)
			if err != nil {
				t.Fatal(err)
			}
			var foreseen []string
			for _, f := range forecast.Findings {
				if f.Severity != protection.SeverityWarning || f.Remedy == "" {
					t.Errorf("foreseen is %+v", f)
				}
				foreseen = append(foreseen, f.Message)
			}
			if err := single.Run(t, hooks.Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			for what, sentences := range map[string][]string{"foreseen": foreseen, "told": single.Result().NotKept} {
				if len(sentences) != len(c.told) {
					t.Errorf("%s is %q", what, sentences)
				}
				for _, words := range c.told {
					if !told(sentences, append(words, "restore_name")...) {
						t.Errorf("%s is %q, and nothing of %q", what, sentences, words)
					}
				}
			}
			if id := single.Result().ID; id != w.network {
				t.Errorf("network %s came back as %s", w.network, id)
			}
		})
	}
}

// TestNewRouterOfAProjectIsNotJoinedToAReusedNetworkAndThatIsTold has the project's router be gone alone.
func TestNewRouterOfAProjectIsNotJoinedToAReusedNetworkAndThatIsTold(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	var w *town
	s := source(t, tenant, func(made *town) string { w = made; return tenant.Cloud.ProjectID() })
	s.Destroy = func(t *testing.T) {
		w.unjoin(t)
		tenant.Remove(t, "network", "routers/"+w.router, "router")
	}
	s.Check = func(t *testing.T, restored protectiontest.Restored) {
		if restored.Parts[w.router] == w.router || !told(restored.NotKept, `"shop"`, `router "door"`, "no interface", "restore_name") {
			t.Errorf("router %s came back as %s, and the tenant is told %q", w.router, restored.Parts[w.router], restored.NotKept)
		}
	}
	protectiontest.RoundTrip(t, of(t, tenant, s))
}
