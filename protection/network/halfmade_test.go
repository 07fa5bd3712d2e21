package network_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// halfMade gives the descriptions of the networks, subnets and groups of a project that a restore
// has begun, and its security groups, each changed by change.
func halfMade(t *testing.T, tenant *protectiontest.Tenant, change func(path, description string)) {
	t.Helper()
	for _, kind := range [][2]string{{"networks", "network"}, {"subnets", "subnet"}, {"security-groups", "security_group"}} {
		for _, made := range query(t, tenant, kind[0], strings.ReplaceAll(kind[0], "-", "_")) {
			if was := text(made, "description"); strings.HasPrefix(was, "karbor-restoring-") {
				change(kind[0]+"/"+text(made, "id"), was)
			}
		}
	}
}

// describe gives a thing another description.
func describe(t *testing.T, tenant *protectiontest.Tenant, path, description string) {
	t.Helper()
	kind, _, _ := strings.Cut(path, "/")
	one := strings.ReplaceAll(strings.TrimSuffix(kind, "s"), "-", "_")
	tenant.Do(t, "network", http.MethodPut, path, map[string]any{one: map[string]any{"description": description}})
}

// TestWhatIsHalfMadeIsKnownWhateverItsDescriptionSays has a restore end between its subnets and its
// routers. What it has made by then is found again by whoever comes.
func TestWhatIsHalfMadeIsKnownWhateverItsDescriptionSays(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, tenant *protectiontest.Tenant, call *protection.Call){
		"described by its tenant": func(t *testing.T, tenant *protectiontest.Tenant, _ *protection.Call) {
			halfMade(t, tenant, func(path, _ string) { describe(t, tenant, path, "mine") })
		},
		"the installation has another name": func(_ *testing.T, _ *protectiontest.Tenant, call *protection.Call) { call.Installation = "there" },
		"of the release before": func(t *testing.T, tenant *protectiontest.Tenant, _ *protection.Call) {
			halfMade(t, tenant, func(path, was string) {
				_, old, _ := strings.Cut(was, " ")
				describe(t, tenant, path, old)
				tenant.Do(t, "network", http.MethodPut, path+"/tags", map[string]any{"tags": []string{}})
			})
		},
	} {
		for _, again := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", and goes on", false: ", and is undone"}[again], func(t *testing.T) {
				tenant := protectiontest.NewTenant(t)
				s := source(t, tenant, func(w *town) string { return w.network })
				single, hooks := protectiontest.NewSingle(open(t), s), open(t).Hooks(karbor.RestoreOperation, karbor.NetworkType)
				if err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.NetworkType).Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
					t.Fatal(err)
				}
				s.Destroy(t)
				before := tenant.Inventory(t)
				tenant.Fault(t, fabric.Fault{Service: "neutron", Method: http.MethodPost, Path: "/routers$", Status: http.StatusForbidden, Times: 1})
				call := single.Begin(tenant.Cloud, nil, nil)
				if err := single.Run(t, hooks.Main, call); err == nil {
					t.Fatal("the restore got beyond its router")
				}
				change(t, tenant, call)
				if again {
					if err := single.Run(t, hooks.Main, call); err != nil {
						t.Fatal(err)
					}
					if made := query(t, tenant, "networks?name=shop", "networks"); len(made) != 1 || text(made[0], "description") != "of the shop" {
						t.Errorf("of the network there are %v", made)
					}
				}
				if err := single.Run(t, func(ctx context.Context, call *protection.Call) error { return protection.Undo(ctx, hooks.Undo, call) }, call); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
					t.Errorf("after undoing (-before +after):\n%s", diff)
				}
			})
		}
	}
}
