package volumeglance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// otherType gives the name of a volume type that is not the default one.
func otherType(t *testing.T, tenant *protectiontest.Tenant) string {
	t.Helper()
	standard := tenant.Show(t, "volume", "types/default", "volume_type")
	types, _ := tenant.Do(t, "volume", http.MethodGet, "types", nil)["volume_types"].([]any)
	for _, x := range types {
		if kind, _ := x.(map[string]any); kind["id"] != standard["id"] {
			name, _ := kind["name"].(string)
			return name
		}
	}
	t.Fatal("the cloud has one volume type only")
	return ""
}

func TestVolumeComesBackAsItIsMapped(t *testing.T) {
	small, tenant := newMiniature(), protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	kind := otherType(t, maker)
	c := protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: small, Inventory: maker.Inventory, Installation: "here",
		Make: func(t *testing.T) protectiontest.Source {
			s := source(t, maker)
			s.Restore = map[string]any{
				"restore_name_prefix": "drill-", "restore_volume_types": map[string]any{"*": kind},
				"restore_availability_zones": map[string]any{"nova": "nova"},
			}
			s.Check = func(t *testing.T, restored protectiontest.Restored) {
				now := maker.Show(t, "volume", "volumes/"+restored.ID, "volume")
				if now["name"] != "drill-disk" || now["volume_type"] != kind {
					t.Errorf("the volume is %v of type %v", now["name"], now["volume_type"])
				}
				if told := strings.Join(restored.Mapped, " "); !strings.Contains(told, kind) || !strings.Contains(told, "availability zone") {
					t.Errorf("what was mapped is not told: %s", told)
				}
			}
			return s
		},
	}
	protectiontest.RoundTrip(t, c)
	for _, parameter := range []string{"restore_volume_types", "restore_availability_zones"} {
		missing := c
		missing.Make = func(t *testing.T) protectiontest.Source {
			s := source(t, maker)
			s.Restore = map[string]any{parameter: map[string]any{"*": "none-such"}}
			return s
		}
		if err := protectiontest.Refused(t, missing); karbor.IsTransient(err) || !strings.Contains(err.Error(), parameter) {
			t.Errorf("%s gives %v", parameter, err)
		}
	}
}
