package openstack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

func TestARegionIsOneThatHasServices(t *testing.T) {
	many := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"interface": "public", "region": "r%02d-%s", "url": "http://x"}`, i, strings.Repeat("é", 100)))
		}
		return `[{"type": "compute", "endpoints": [` + strings.Join(all, ",") + `]}]`
	}
	for name, test := range map[string]struct {
		region, catalog string
		told            string // "" where it is one
	}{
		"there":              {"RegionOne", "", ""},
		"none asked for":     {"", "", ""},
		"mistyped":           {"RegionTow", "", `no services in a region "RegionTow", but in "RegionOne"`},
		"by its id":          {"r-1", `[{"type": "volumev3", "endpoints": [{"interface": "public", "region": "One", "region_id": "r-1", "url": "http://x"}]}]`, ""},
		"Keystone only":      {"edge", `[{"type": "identity", "endpoints": [{"interface": "public", "region": "edge", "url": "http://x"}]}]`, `no services in a region "edge"`},
		"not for the public": {"inner", `[{"type": "image", "endpoints": [{"interface": "internal", "region": "inner", "url": "http://x"}]}]`, `no services in a region "inner"`},
		"of a hostile cloud": {"one", many(100), "and others"},
	} {
		t.Run(name, func(t *testing.T) {
			home, f := newFakeCloud(t), newFakeCloud(t)
			if test.catalog != "" {
				var list []any
				if err := json.Unmarshal([]byte(test.catalog), &list); err != nil {
					t.Fatal(err)
				}
				f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
					if r.URL.Path != "/v3/auth/tokens" {
						return false
					}
					w.Header().Set("X-Subject-Token", "t")
					reply(w, http.StatusCreated, map[string]any{"token": map[string]any{"expires_at": "2099-01-01T00:00:00Z",
						"user": map[string]any{"id": "alice-id"}, "project": map[string]any{"id": "alpha-id"}, "catalog": list}})
					return true
				})
			}
			c, err := home.authority(f.reached).Password(t.Context(), f.server.URL+"/v3/", PasswordAuth{Username: "alice", Password: "alice-pass", Region: test.region})
			if err != nil {
				t.Fatal(err)
			}
			err = InRegion(t.Context(), c)
			if test.told == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			told := karbor.Sentence(err)
			if err == nil || karbor.KindOf(err) != karbor.Invalid || karbor.IsTransient(err) || !strings.Contains(told, test.told) {
				t.Errorf("got %v", err)
			}
			if len(told) > 2000 {
				t.Errorf("the tenant reads %d bytes", len(told))
			}
		})
	}
}
