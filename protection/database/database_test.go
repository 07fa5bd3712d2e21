package database_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/database"
	"github.com/karbor/karbor/protection/protectiontest"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := database.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

const service = "database"

// shop is an instance with databases and users, as a source.
type shop struct {
	id     string
	source protectiontest.Source
}

// properties gives what a restore keeps of an instance.
func properties(t *testing.T, tenant *protectiontest.Tenant, id string) map[string]any {
	t.Helper()
	shown := tenant.Show(t, service, "instances/"+id, "instance")
	out := map[string]any{"databases": tenant.Do(t, service, http.MethodGet, "instances/"+id+"/databases", nil)["databases"],
		"users": tenant.Do(t, service, http.MethodGet, "instances/"+id+"/users", nil)["users"]}
	for _, m := range []string{"name", "status", "flavor", "volume", "datastore", "access", "addresses", "configuration"} {
		out[m] = shown[m]
	}
	return out
}

// newShop makes an instance that has all that a restore keeps.
func newShop(t *testing.T, tenant *protectiontest.Tenant, members map[string]any) *shop {
	t.Helper()
	group := tenant.Make(t, service, "configurations", "configuration", map[string]any{"name": "large", "values": map[string]any{"max_connections": 200}})
	ask := map[string]any{"name": "shop", "flavorRef": "2", "volume": map[string]any{"size": 3}, "datastore": map[string]any{"type": "mysql", "version": "8.0.36"},
		"nics": []any{map[string]any{"net-id": karbor.NewID()}}, "access": map[string]any{"is_public": true, "allowed_cidrs": []string{"192.0.2.0/24"}},
		"configuration": group["id"], "databases": []any{map[string]any{"name": "orders"}},
		"users": []any{map[string]any{"name": "till", "password": "secret", "databases": []any{map[string]any{"name": "orders"}}}}}
	maps.Copy(ask, members)
	maps.DeleteFunc(ask, func(_ string, v any) bool { return v == nil })
	made := tenant.Make(t, service, "instances", "instance", ask)
	s := &shop{id: fmt.Sprint(made["id"])}
	path := "instances/" + s.id
	tenant.Await(t, service, path, "instance", "ACTIVE")
	original := properties(t, tenant, s.id)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.DatabaseType, ID: s.id, Name: "shop"}, "")
	s.source = protectiontest.Source{
		Graph: g, Key: node.Key(), Options: map[string]any{"backup_name": "nightly", "description": "made each night"},
		Destroy: func(t *testing.T) { tenant.Remove(t, service, path, "instance") },
		Lose: func(t *testing.T) {
			for _, b := range backupsOf(t, tenant, s.id) {
				tenant.Remove(t, service, fmt.Sprintf("backups/%v", b["id"]), "backup")
			}
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			if diff := cmp.Diff(original, properties(t, tenant, restored.ID)); diff != "" || len(restored.NotKept) > 0 {
				t.Errorf("not kept: %q; the restored instance differs (-original +restored):\n%s", restored.NotKept, diff)
			}
		},
	}
	return s
}

func backupsOf(t *testing.T, tenant *protectiontest.Tenant, id string) []map[string]any {
	t.Helper()
	all, _ := tenant.Do(t, service, http.MethodGet, "backups?instance_id="+id, nil)["backups"].([]any)
	var out []map[string]any
	for _, one := range all {
		members, _ := one.(map[string]any)
		out = append(out, members)
	}
	return out
}

// inventory lists what the project has of databases.
func inventory(tenant *protectiontest.Tenant) func(t *testing.T) []string {
	return func(t *testing.T) []string {
		t.Helper()
		lines := []string{}
		for _, kind := range []string{"instances", "backups"} {
			all, _ := tenant.Do(t, service, http.MethodGet, kind, nil)[kind].([]any)
			for _, one := range all {
				members, _ := one.(map[string]any)
				lines = append(lines, fmt.Sprintf("%s %v %v", kind, members["id"], members["name"]))
			}
		}
		return lines
	}
}

func TestInstanceComesBackOfItsBackup(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t, quick), Type: karbor.DatabaseType, Session: tenant.Session, Inventory: inventory(tenant), Keeps: 1,
		Make: func(t *testing.T) protectiontest.Source { return newShop(t, tenant, nil).source },
	})
}

// protect runs the hooks of protect, up to the first that fails.
func protect(t *testing.T, s *protectiontest.Single, p protection.Plugin, call *protection.Call) error {
	t.Helper()
	hooks := p.Hooks(karbor.Protect, karbor.DatabaseType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		return err
	}
	return s.Run(t, hooks.Main, call)
}

func hook(p protection.Plugin, op karbor.OperationType) protection.Hook {
	return p.Hooks(op, karbor.DatabaseType).Main
}

func TestIncrementalBackupStandsOnTheNewestOfKarborsOwn(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	source := newShop(t, tenant, nil)
	asked := map[string]any{"backup_mode": "incremental"}
	first, second, third := protectiontest.NewSingle(p, source.source), protectiontest.NewSingle(p, source.source), protectiontest.NewSingle(p, source.source)
	if err := protect(t, first, p, first.Begin(tenant.Cloud, nil, asked)); err != nil {
		t.Fatal(err)
	}
	if told := first.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "a full one in place of an incremental one") {
		t.Errorf("of the first the tenant is told %q", told)
	}
	foreign := tenant.Make(t, service, "backups", "backup", map[string]any{"name": "by hand", "instance": source.id})
	tenant.Await(t, service, fmt.Sprint("backups/", foreign["id"]), "backup", "COMPLETED")
	calls := map[*protectiontest.Single]*protection.Call{}
	for _, s := range []*protectiontest.Single{second, third} {
		calls[s] = s.Begin(tenant.Cloud, nil, asked)
		if err := protect(t, s, p, calls[s]); err != nil {
			t.Fatal(err)
		}
		if told := s.Result().NotKept; len(told) > 0 {
			t.Errorf("the tenant is told %q", told)
		}
	}
	byOwner := map[string]map[string]any{}
	for _, b := range backupsOf(t, tenant, source.id) {
		for _, call := range calls {
			if strings.Contains(fmt.Sprint(b["description"]), call.Owner) {
				byOwner[call.Owner] = b
			}
		}
	}
	if a, b := byOwner[calls[second].Owner], byOwner[calls[third].Owner]; a["parent_id"] == nil || a["parent_id"] == foreign["id"] || b["parent_id"] != a["id"] {
		t.Errorf("the second stands on %v, and the third on %v", a["parent_id"], b["parent_id"])
	}
	if err := third.Run(t, hook(p, karbor.Verify), third.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Errorf("verifying: %v", err)
	}
	remove := hook(p, karbor.Delete)
	err := second.Run(t, remove, second.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "Delete first checkpoint "+calls[third].Owner) {
		t.Errorf("deleting what others stand on gives %v", err)
	}
	for _, s := range []*protectiontest.Single{third, second, first} {
		if err := s.Run(t, remove, s.Begin(tenant.Cloud, nil, nil)); err != nil {
			t.Errorf("deleting the newest: %v", err)
		}
	}
	if left := backupsOf(t, tenant, source.id); len(left) != 1 || left[0]["id"] != foreign["id"] {
		t.Errorf("left are %v", left)
	}
}

func TestBackupWhoseParentIsLostFailsItsVerification(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	source := newShop(t, tenant, nil)
	s := protectiontest.NewSingle(p, source.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "trove", Method: http.MethodGet, Path: "/backups/", Status: http.StatusNotFound})
	err := s.Run(t, hook(p, karbor.Verify), s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "is not in this project of this cloud") {
		t.Errorf("got %v", err)
	}
}

func TestInstanceThatCanNotBeProtectedIsRefused(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, map[string]any{"x-cluster": karbor.NewID()}).source)
	err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "of a cluster") {
		t.Errorf("an instance of a cluster gives %v", err)
	}
	tenant.Fault(t, fabric.Fault{Service: "trove", Transition: "instance.create", Fail: true})
	made := tenant.Make(t, service, "instances", "instance", map[string]any{"name": "broken", "flavorRef": "1", "volume": map[string]any{"size": 1}})
	tenant.Await(t, service, fmt.Sprint("instances/", made["id"]), "instance", "ERROR")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.DatabaseType, ID: fmt.Sprint(made["id"]), Name: "broken"}, "")
	s = protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	err = protect(t, s, p, s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `is in state "ERROR"`) {
		t.Errorf("an instance in error gives %v", err)
	}
}

func TestWhatARestoreCanNotKeepIsTold(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	source := newShop(t, tenant, nil)
	replica := tenant.Make(t, service, "instances", "instance", map[string]any{
		"name": "replica", "flavorRef": "2", "volume": map[string]any{"size": 3}, "replica_of": source.id})
	tenant.Await(t, service, fmt.Sprint("instances/", replica["id"]), "instance", "ACTIVE")
	s := protectiontest.NewSingle(p, source.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "trove", Method: http.MethodGet, Path: "/configurations/", Status: http.StatusNotFound})
	network := karbor.NewID()
	call := s.Begin(tenant.Cloud, nil, map[string]any{"restore_name_prefix": "new ",
		"restore_flavors": map[string]any{"*": "1"}, "restore_networks": map[string]any{"*": network}})
	if err := s.Run(t, hook(p, karbor.RestoreOperation), call); err != nil {
		t.Fatal(err)
	}
	told := s.Result()
	if want := []string{"configuration group", "replicas"}; len(told.NotKept) != 2 || !strings.Contains(told.NotKept[0], want[0]) || !strings.Contains(told.NotKept[1], want[1]) {
		t.Errorf("not kept: %q", told.NotKept)
	}
	shown := tenant.Show(t, service, "instances/"+told.ID, "instance")
	if len(told.Mapped) != 2 || shown["name"] != "new shop" || !strings.Contains(fmt.Sprint(shown["addresses"]), network) || !strings.Contains(fmt.Sprint(shown["flavor"]), "id:1 ") {
		t.Errorf("mapped: %q; the instance is %v", told.Mapped, shown)
	}
}

func TestLookAheadFindsAMissingFlavor(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	call := s.Begin(tenant.Cloud, nil, map[string]any{"restore_flavors": map[string]any{"*": "../x"}})
	found, err := p.Hooks(karbor.RestoreOperation, karbor.DatabaseType).Preflight(t.Context(), call)
	if err != nil || len(found.Findings) != 1 || found.Findings[0].Severity != protection.SeverityError || !strings.Contains(found.Findings[0].Message, "there is no flavor") {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestErrorsOfTroveAreToldAndNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		fault fabric.Fault
		want  string
		kind  karbor.Kind
	}{
		{fabric.Fault{Transition: "backup.create", Fail: true}, `went into state "FAILED"`, karbor.Conflict},
		{fabric.Fault{Method: http.MethodPost, Path: "/backups$", Status: http.StatusRequestEntityTooLarge, Message: "Quota exceeded for resources: ['backups']."}, "Quota exceeded", karbor.OverLimit},
		{fabric.Fault{Method: http.MethodPost, Path: "/backups$", Status: http.StatusForbidden, Message: "Policy doesn't allow it."}, "Policy", karbor.Forbidden},
		{fabric.Fault{Method: http.MethodPost, Path: "/backups$", Status: http.StatusNotImplemented, Message: "The operation is not supported for the datastore."}, "not supported", karbor.Unavailable},
	} {
		t.Run(test.want, func(t *testing.T) {
			tenant, p := protectiontest.NewTenant(t), open(t, quick)
			s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
			before := inventory(tenant)(t)
			test.fault.Service = "trove"
			tenant.Fault(t, test.fault)
			call := s.Begin(tenant.Cloud, nil, nil)
			err := protect(t, s, p, call)
			if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %s", err, test.want)
			}
			if err := s.Run(t, p.Hooks(karbor.Protect, karbor.DatabaseType).Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, inventory(tenant)(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestInstanceThatIsBusyIsWaitedFor(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	tenant.Fault(t, fabric.Fault{Service: "trove", Method: http.MethodPost, Path: "/backups$", Times: 3, Status: http.StatusUnprocessableEntity, Message: "Instance is not currently available for an action to be performed (status was BACKUP)."})
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Error(err)
	}
}

func TestInstanceThatFailsInTheCloudEndsTheRestoreAndGoes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	before := inventory(tenant)(t)
	tenant.Fault(t, fabric.Fault{Service: "trove", Transition: "instance.create", Fail: true})
	call, hooks := s.Begin(tenant.Cloud, nil, nil), p.Hooks(karbor.RestoreOperation, karbor.DatabaseType)
	err := s.Run(t, hooks.Main, call)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `went into state "ERROR" in the cloud: The instance could not be made.`) {
		t.Errorf("got %v", err)
	}
	if err := s.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inventory(tenant)(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

func TestBackupThatIsNeverCompletedEndsTheWait(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	tenant.Fault(t, fabric.Fault{Service: "trove", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/backups/", func(map[string]any) {})
	err := protect(t, s, p, s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil))
	protectiontest.ExpectOvertime(t, err, "7m0s", "backup", `"BUILDING"`)
}

func TestBackupThatCanNotBeDeletedIsTold(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "trove", Transition: "backup.delete", Fail: true})
	err := s.Run(t, hook(p, karbor.Delete), s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "can't be deleted") {
		t.Errorf("got %v", err)
	}
}

func TestLongDescriptionKeepsItsMark(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	source := newShop(t, tenant, nil)
	s := protectiontest.NewSingle(p, source.source)
	call := s.Begin(tenant.Cloud, nil, map[string]any{"description": strings.Repeat("ü", 300)})
	if err := protect(t, s, p, call); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(backupsOf(t, tenant, source.id)[0]["description"]); !strings.HasSuffix(text, "ü ["+call.Name()+"]") || len([]rune(text)) != 255 {
		t.Errorf("the description is %q", text)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	file, err := parser.ParseBytes([]byte("{timeout: 0s}"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := database.Plugin.Open(t.Context(), file.Docs[0].Body); err == nil {
		t.Error("a time-out of nothing was accepted")
	}
}

func TestCloudWithoutTroveLeavesNothingToUndo(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newShop(t, tenant, nil).source)
	tenant.Fault(t, fabric.Fault{Service: "trove", Status: http.StatusNotImplemented, Message: "There are no databases here."})
	call := s.Begin(tenant.Cloud, nil, nil)
	if err := protect(t, s, p, call); err == nil || karbor.IsTransient(err) {
		t.Errorf("protecting gives %v", err)
	}
	if err := s.Run(t, p.Hooks(karbor.Protect, karbor.DatabaseType).Undo, call); err != nil {
		t.Errorf("undoing gives %v", err)
	}
	if err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.DatabaseType).Undo, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Errorf("undoing a restore that has not begun gives %v", err)
	}
}
