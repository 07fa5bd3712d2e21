package trove_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// tenant is a user of a cloud's databases.
type tenant struct {
	t       *testing.T
	cloud   *testcloudtest.Cloud
	token   string
	project string
}

func login(t *testing.T, c *testcloudtest.Cloud, user string) tenant {
	t.Helper()
	u, _ := c.User(user)
	return tenant{t, c, c.Client(t, user).Token(), u.ProjectID}
}

// ask asks the service, and gives the status and the answer.
func (n tenant) ask(method, path string, body any) (int, map[string]any) {
	n.t.Helper()
	a := n.cloud.Do(n.t, n.token, method, "/database/v1.0/"+n.project+path, body)
	var doc map[string]any
	_ = json.Unmarshal(a.Body, &doc)
	return a.Status, doc
}

// do gives the member of an answer that has one.
func (n tenant) do(method, path string, body any) (int, map[string]any) {
	n.t.Helper()
	status, doc := n.ask(method, path, body)
	for _, member := range doc {
		shown, _ := member.(map[string]any)
		return status, shown
	}
	return status, nil
}

func (n tenant) instance(members map[string]any) (int, map[string]any) {
	n.t.Helper()
	ask := map[string]any{"name": "shop", "flavorRef": "1", "volume": map[string]any{"size": 1}}
	maps.Copy(ask, members)
	return n.do(http.MethodPost, "/instances", map[string]any{"instance": ask})
}

func (n tenant) backup(members map[string]any) (int, map[string]any) {
	n.t.Helper()
	ask := map[string]any{"name": "nightly"}
	maps.Copy(ask, members)
	return n.do(http.MethodPost, "/backups", map[string]any{"backup": ask})
}

func (n tenant) await(path, want string) {
	n.t.Helper()
	testcloudtest.Await(n.t, want, func() bool {
		status, shown := n.do(http.MethodGet, path, nil)
		return status == http.StatusNotFound && want == "gone" || shown["status"] == want
	})
}

// ready makes an instance that is active.
func (n tenant) ready(members map[string]any) string {
	n.t.Helper()
	status, made := n.instance(members)
	if status != http.StatusOK {
		n.t.Fatalf("making an instance gives %d, %v", status, made)
	}
	n.await(fmt.Sprint("/instances/", made["id"]), "ACTIVE")
	return fmt.Sprint(made["id"])
}

func (n tenant) saved(members map[string]any) string {
	n.t.Helper()
	status, made := n.backup(members)
	if status != http.StatusAccepted {
		n.t.Fatalf("making a backup gives %d, %v", status, made)
	}
	n.await(fmt.Sprint("/backups/", made["id"]), "COMPLETED")
	return fmt.Sprint(made["id"])
}

func TestInstanceOfABackupHasWhatTheOriginalHadThen(t *testing.T) {
	demo := login(t, testcloudtest.Start(t), "demo")
	id := demo.ready(map[string]any{"databases": []any{map[string]any{"name": "orders"}}})
	backup := demo.saved(map[string]any{"instance": id})
	if status, _ := demo.ask(http.MethodPost, "/instances/"+id+"/databases", map[string]any{"databases": []any{map[string]any{"name": "later"}}}); status != http.StatusAccepted {
		t.Errorf("making a database gives %d", status)
	}
	copied := demo.ready(map[string]any{"restorePoint": map[string]any{"backupRef": backup}})
	_, shown := demo.ask(http.MethodGet, "/instances/"+copied+"/databases", nil)
	if got := fmt.Sprint(shown["databases"]); got != "[map[name:orders]]" {
		t.Errorf("the databases are %v", got)
	}
	if status, _ := demo.instance(map[string]any{"datastore": map[string]any{"type": "postgresql"}, "restorePoint": map[string]any{"backupRef": backup}}); status != http.StatusBadRequest {
		t.Errorf("another datastore gives %d", status)
	}
}

func TestAnInstanceHasAName(t *testing.T) {
	demo := login(t, testcloudtest.Start(t), "demo")
	id := demo.ready(nil)
	for name, want := range map[string]int{"": http.StatusBadRequest, "-": http.StatusBadRequest, "till": http.StatusAccepted} {
		if status, _ := demo.ask(http.MethodPatch, "/instances/"+id, map[string]any{"instance": map[string]any{"name": name}}); status != want {
			t.Errorf("naming it %q gives %d, want %d", name, status, want)
		}
	}
	if _, shown := demo.do(http.MethodGet, "/instances/"+id, nil); shown["name"] != "till" {
		t.Errorf("it is named %v", shown["name"])
	}
	if status, _ := demo.instance(map[string]any{"name": ""}); status != http.StatusBadRequest {
		t.Errorf("making one without a name gives %d", status)
	}
}

func TestABackupTakesTheInstanceAndThoseThatStandOnItGoWithIt(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	id := demo.ready(nil)
	fault, err := c.Faults().Add(fabric.Fault{Service: "trove", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	_, slow := demo.backup(map[string]any{"instance": id})
	demo.await("/instances/"+id, "BACKUP")
	if status, _ := demo.backup(map[string]any{"instance": id}); status != http.StatusUnprocessableEntity {
		t.Errorf("a second backup at a time gives %d", status)
	}
	if status, _ := demo.do(http.MethodDelete, fmt.Sprint("/backups/", slow["id"]), nil); status != http.StatusUnprocessableEntity {
		t.Errorf("deleting a running backup gives %d", status)
	}
	c.Faults().Remove(fault)
	c.Restart(t)
	demo = login(t, c, "demo")
	parent := fmt.Sprint(slow["id"])
	demo.await("/backups/"+parent, "COMPLETED")
	child := demo.saved(map[string]any{"instance": id, "incremental": 1})
	if _, shown := demo.do(http.MethodGet, "/backups/"+child, nil); shown["parent_id"] != parent {
		t.Errorf("the incremental backup is %v", shown)
	}
	if status, _ := demo.do(http.MethodDelete, "/backups/"+parent, nil); status != http.StatusAccepted {
		t.Errorf("deleting the parent gives %d", status)
	}
	demo.await("/backups/"+parent, "gone")
	demo.await("/backups/"+child, "gone")
}

func TestListsComeInPages(t *testing.T) {
	demo := login(t, testcloudtest.Start(t), "demo")
	const all = 23
	for range all {
		demo.ready(nil)
	}
	seen, query := map[any]bool{}, ""
	for range all {
		_, doc := demo.ask(http.MethodGet, "/instances?limit=10"+query, nil)
		list, _ := doc["instances"].([]any)
		for _, one := range list {
			shown, _ := one.(map[string]any)
			seen[shown["id"]], query = true, fmt.Sprint("&marker=", shown["id"])
		}
		if doc["links"] == nil {
			break
		}
	}
	if len(seen) != all {
		t.Errorf("the pages have %d instances; want %d", len(seen), all)
	}
}

func TestQuotasEndCreates(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	c.Quotas().Set(demo.project, "database_instances", 1)
	c.Quotas().Set(demo.project, "database_backups", 0)
	id := demo.ready(nil)
	if status, _ := demo.instance(nil); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a second instance gives %d", status)
	}
	if status, _ := demo.backup(map[string]any{"instance": id}); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a backup gives %d", status)
	}
}

func TestReadersAndStrangersChangeNothing(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	id := demo.ready(nil)
	backup := demo.saved(map[string]any{"instance": id})
	reader, other := login(t, c, "demo-reader"), login(t, c, "other")
	if status, _ := reader.instance(nil); status != http.StatusForbidden {
		t.Errorf("a reader's instance gives %d", status)
	}
	for _, path := range []string{"/instances/" + id, "/backups/" + backup} {
		if status, _ := reader.do(http.MethodDelete, path, nil); status != http.StatusForbidden {
			t.Errorf("a reader's delete of %s gives %d", path, status)
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if status, _ := other.do(method, path, nil); status != http.StatusNotFound {
				t.Errorf("another project's %s of %s gives %d", method, path, status)
			}
		}
	}
	other.project = demo.project
	if status, _ := other.ask(http.MethodGet, "/instances", nil); status != http.StatusForbidden {
		t.Errorf("another project's path gives %d", status)
	}
}

func TestFaultsLeaveErrorStates(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	id := demo.ready(nil)
	for _, transition := range []string{"backup.create", "instance.create"} {
		if _, err := c.Faults().Add(fabric.Fault{Service: "trove", Transition: transition, Fail: true}); err != nil {
			t.Fatal(err)
		}
	}
	_, backup := demo.backup(map[string]any{"instance": id})
	demo.await(fmt.Sprint("/backups/", backup["id"]), "FAILED")
	_, made := demo.instance(nil)
	demo.await(fmt.Sprint("/instances/", made["id"]), "ERROR")
	if status, _ := demo.do(http.MethodDelete, fmt.Sprint("/instances/", made["id"]), nil); status != http.StatusAccepted {
		t.Errorf("deleting a failed instance gives %d", status)
	}
}

func TestGroupsOfSettingsAreKeptWhileTheyAreUsed(t *testing.T) {
	demo := login(t, testcloudtest.Start(t), "demo")
	_, made := demo.do(http.MethodPost, "/configurations", map[string]any{"configuration": map[string]any{"name": "large", "values": map[string]any{"max_connections": 200}}})
	id := demo.ready(map[string]any{"configuration": made["id"]})
	_, shown := demo.do(http.MethodGet, "/instances/"+id, nil)
	if group, _ := shown["configuration"].(map[string]any); group["id"] != made["id"] {
		t.Errorf("the instance shows %v", shown["configuration"])
	}
	if status, _ := demo.do(http.MethodDelete, fmt.Sprint("/configurations/", made["id"]), nil); status != http.StatusBadRequest {
		t.Errorf("deleting a group that is used gives %d", status)
	}
	if status, _ := demo.instance(map[string]any{"configuration": "no-such"}); status != http.StatusNotFound {
		t.Errorf("a group that is not there gives %d", status)
	}
}

func TestLimitsAreTold(t *testing.T) {
	demo := login(t, testcloudtest.Start(t), "demo")
	_, doc := demo.ask(http.MethodGet, "/limits", nil)
	list, _ := doc["limits"].([]any)
	if !slices.ContainsFunc(list, func(one any) bool {
		m, _ := one.(map[string]any)
		return m["verb"] == "ABSOLUTE" && m["max_backups"] == float64(50)
	}) {
		t.Errorf("the limits are %v", list)
	}
}
