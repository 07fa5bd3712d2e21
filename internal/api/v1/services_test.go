package v1_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// service adds a service to the list and gives its number.
func (w *world) report(t testing.TB, host, binary string) int64 {
	t.Helper()
	s, err := w.store.ReportService(t.Context(), host, binary)
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

// serviceItems are the calls of the services' routes.
func (w *world) serviceItems(t *testing.T) []item {
	t.Helper()
	id := w.report(t, "h1", karbor.OperationEngineBinary)
	return []item{
		{method: "GET", path: "/os-services", admin: true},
		{method: "PUT", path: fmt.Sprintf("/os-services/%d", id), body: `{"status": "enabled"}`, admin: true},
	}
}

func serviceView(id int64, binary, host string, reported any) map[string]any {
	return map[string]any{"id": float64(id), "binary": binary, "host": host, "status": "enabled", "state": "up",
		"updated_at": reported, "disabled_reason": nil}
}

func TestServicesAreListedWithTheirState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.call(t, "admin", "GET", "/os-services", "").want(t, 200); a.text != "{\"services\":[]}\n" {
		t.Errorf("without services the list is %s", a.text)
	}
	engine := w.report(t, "h1", karbor.OperationEngineBinary)
	protection := w.report(t, "h1", karbor.ProtectionBinary)
	w.report(t, "h2", karbor.ProtectionBinary)
	a := w.call(t, "admin", "GET", "/os-services?host=h1", "").want(t, 200)
	list := a.body["services"].([]any)
	if len(list) != 2 {
		t.Fatal(a.text)
	}
	at := func(i int) any { return list[i].(map[string]any)["updated_at"] }
	same(t, map[string]any{"services": []any{serviceView(engine, "karbor-operationengine", "h1", at(0)),
		serviceView(protection, "karbor-protection", "h1", at(1))}}, a)
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(at(0))); err != nil {
		t.Error(err)
	}
	for query, want := range map[string]int{"?binary=karbor-protection": 2, "?host=h2&binary=karbor-protection": 1, "?host=h3": 0, "?host=&binary=": 3, "?sort=host:desc": 3, "?limit=1": 1} {
		if got := len(w.call(t, "admin", "GET", "/os-services"+query, "").want(t, 200).body["services"].([]any)); got != want {
			t.Errorf("%s gives %d, want %d", query, got, want)
		}
	}
	if first := w.call(t, "admin", "GET", "/os-services?sort=host:desc&limit=1", "").want(t, 200); first.body["services"].([]any)[0].(map[string]any)["host"] != "h2" || first.body["services_links"] == nil {
		t.Errorf("the first by host, descending, is %s", first.text)
	}
	w.call(t, "admin", "GET", "/os-services?sort=colour", "").want(t, 400, "colour")
	w.call(t, "admin", "GET", "/os-services?marker=99", "").want(t, 400, "99")
	w.call(t, "member", "GET", "/os-services", "").want(t, 403, "service:get_all")
}

func TestAServiceThatReportsNoMoreIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.report(t, "h1", karbor.ProtectionBinary)
	state := func() any {
		return w.call(t, "admin", "GET", "/os-services", "").want(t, 200).body["services"].([]any)[0].(map[string]any)["state"]
	}
	if got := state(); got != "up" {
		t.Errorf("the state after a report is %v", got)
	}
	// Each look at the clock moves it on by a second; the down time is a minute.
	for range 60 {
		w.service.now()
	}
	if got := state(); got != "down" {
		t.Errorf("the state a minute later is %v", got)
	}
	w.report(t, "h1", karbor.ProtectionBinary)
	if got := state(); got != "up" {
		t.Errorf("the state after another report is %v", got)
	}
}

func TestOnlyTheOperationEngineIsEnabledAndDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	engine := w.report(t, "h1", karbor.OperationEngineBinary)
	protection := w.report(t, "h1", karbor.ProtectionBinary)
	put := func(id any, body string) answer {
		return w.call(t, "admin", "PUT", fmt.Sprintf("/os-services/%v", id), body)
	}
	for _, tt := range []struct {
		body, status string
		reason       any
	}{
		{`{"status": "disabled", "disabled_reason": "maintenance"}`, "disabled", "maintenance"},
		{`{"status": "disabled"}`, "disabled", nil},
		{`{"status": "enabled"}`, "enabled", nil},
	} {
		a := put(engine, tt.body).want(t, 200)
		want := serviceView(engine, "karbor-operationengine", "h1", a.get("service.updated_at"))
		want["status"], want["disabled_reason"] = tt.status, tt.reason
		same(t, map[string]any{"service": want}, a)
	}
	put(protection, `{"status": "disabled"}`).want(t, 400, "karbor-protection", "only a karbor-operationengine")
	put(99, `{"status": "disabled"}`).want(t, 404, "itemNotFound", "99")
	put("h1", `{"status": "disabled"}`).want(t, 400, "badRequest", "h1")
	put(engine, `{"status": "off"}`).want(t, 400, `status. Value: \"off\"`)
	put(engine, `{"disabled_reason": "x"}`).want(t, 400, "status. It is required")
	put(engine, `{"status": "enabled", "disabled_reason": "x"}`).want(t, 400, "disabled_reason")
	put(engine, `{"status": "disabled", "colour": "red"}`).want(t, 400, "colour")
	w.call(t, "member", "PUT", fmt.Sprintf("/os-services/%d", engine), `{"status": "disabled"}`).want(t, 403, "service:update")
}

func TestTheVersionOfAServiceIsThereFromItsMicroversionOn(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: d.Now, Program: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d.Store = db
	w := worldOf(t, d, policy.New())
	if _, err := db.ReportService(t.Context(), "h1", karbor.ProtectionBinary); err != nil {
		t.Fatal(err)
	}
	if a := w.call(t, "admin", "GET", "/os-services", "", v13).want(t, 200); contains(a.text, "v1.2.3") {
		t.Error(a.text)
	}
	w.call(t, "admin", "GET", "/os-services", "", v14).want(t, 200, `"version":"v1.2.3"`)
}
