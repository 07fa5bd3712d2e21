package database_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func caseOf(t *testing.T, tenant *protectiontest.Tenant, options string) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, options), Type: karbor.DatabaseType, Session: tenant.Session, Inventory: inventory(tenant), Keeps: 1,
		Make: func(t *testing.T) protectiontest.Source { return newShop(t, tenant, nil).source },
	}
}

func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		what               karbor.OperationType
		path, status, word string
		kind               karbor.Kind
	}{
		"a backup in error":              {karbor.Protect, "/backups/", "FAILED", "backup", karbor.Conflict},
		"a backup that stays":            {karbor.Protect, "/backups/", "BUILDING", "backup", karbor.Unavailable},
		"a restored instance in error":   {karbor.RestoreOperation, "/instances/", "ERROR", "database instance", karbor.Conflict},
		"a restored instance that stays": {karbor.RestoreOperation, "/instances/", "BUILD", "database instance", karbor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			way := &protectiontest.Pretending{}
			one := caseOf(t, protectiontest.NewTenant(t), quick)
			one.Transport = way
			err := protectiontest.Spoilt(t, one, c.what, func() {
				way.Told(c.kind)(c.path+"[0-9a-f-]{36}$", func(members map[string]any) { members["status"] = c.status })
			}, func() { way.Stop() })
			protectiontest.ExpectRefusal(t, err, c.kind, c.word, fmt.Sprintf("%q", c.status))
		})
	}
}

// TestInstanceThatVanishesWhileItIsMadeIsNamedAndNothingIsLeft has it be gone before it runs.
func TestInstanceThatVanishesWhileItIsMadeIsNamedAndNothingIsLeft(t *testing.T) {
	tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
	one := caseOf(t, tenant, quick)
	one.Transport = way
	err := protectiontest.Spoilt(t, one, karbor.RestoreOperation, func() {
		way.Before(t, http.MethodGet, "/instances/[0-9a-f-]{36}$", func() {
			all, _ := tenant.Do(t, service, http.MethodGet, "instances", nil)["instances"].([]any)
			for _, i := range all {
				id, _ := i.(map[string]any)["id"].(string)
				tenant.Await(t, service, "instances/"+id, "instance", "ACTIVE")
				tenant.Remove(t, service, "instances/"+id, "instance")
			}
		})
	}, func() {})
	protectiontest.ExpectRefusal(t, err, karbor.NotFound, "database instance")
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := caseOf(t, protectiontest.NewTenant(t), quick)
	c.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, c)
}
