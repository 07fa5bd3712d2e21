package cli_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// schedules adds triggers, scheduled operations and services to the fake. The
// trigger "taken" is in use.
func (f *fake) schedules(v1 func(pattern string, handle func(w http.ResponseWriter, r *http.Request))) {
	var triggers, operations []map[string]any
	read := func(r *http.Request, key string) map[string]any {
		var body map[string]map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		return body[key]
	}
	v1("POST /triggers", func(w http.ResponseWriter, r *http.Request) {
		item := read(r, "trigger_info")
		if properties := item["properties"].(map[string]any); properties["start_time"] == nil {
			properties["start_time"] = "2026-01-02 03:04:05"
		}
		item["id"] = newID(400 + len(triggers))
		triggers = append(triggers, item)
		reply(w, map[string]any{"trigger_info": item})
	})
	v1("GET /triggers", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "triggers", triggers) })
	v1("GET /triggers/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "trigger_info", triggers) })
	v1("PUT /triggers/{id}", func(w http.ResponseWriter, r *http.Request) {
		if item := f.byID(r.PathValue("id"), triggers); item != nil {
			maps.Copy(item, read(r, "trigger_info"))
		}
		f.one(w, r, "trigger_info", triggers)
	})
	v1("DELETE /triggers/{id}", func(w http.ResponseWriter, r *http.Request) {
		if item := f.byID(r.PathValue("id"), triggers); item["name"] == "taken" {
			refuse(w, http.StatusFailedDependency, "failedDependency", "the trigger is used by 1 scheduled operations")
			return
		}
		triggers = slices.DeleteFunc(triggers, func(t map[string]any) bool { return t["id"] == r.PathValue("id") })
	})
	v1("POST /scheduled_operations", func(w http.ResponseWriter, r *http.Request) {
		item := read(r, "scheduled_operation")
		item["id"], item["enabled"] = newID(500+len(operations)), true
		operations = append(operations, item)
		reply(w, map[string]any{"scheduled_operation": item})
	})
	v1("GET /scheduled_operations", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "operations", operations) })
	v1("GET /scheduled_operations/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "scheduled_operation", operations) })
	v1("DELETE /scheduled_operations/{id}", func(_ http.ResponseWriter, r *http.Request) {
		operations = slices.DeleteFunc(operations, func(o map[string]any) bool { return o["id"] == r.PathValue("id") })
	})
	f.scheduleRuns(v1, func(id string) map[string]any { return f.byID(id, operations) })
	engine := map[string]any{"id": 2, "binary": "karbor-operationengine", "host": "h1", "status": "enabled", "state": "down",
		"updated_at": "2026-01-02T03:04:05Z", "disabled_reason": nil}
	v1("GET /os-services", func(w http.ResponseWriter, r *http.Request) {
		services := []map[string]any{{"id": 1, "binary": "karbor-protection", "host": "h1", "status": "enabled", "state": "up",
			"updated_at": "2026-01-02T03:04:05Z", "disabled_reason": nil}, engine}
		if host := r.URL.Query().Get("host"); host != "" && host != "h1" {
			services = nil
		}
		f.page(w, r, "services", services)
	})
	v1("PUT /os-services/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "2" {
			refuse(w, http.StatusBadRequest, "badRequest", "only a karbor-operationengine can be enabled and disabled")
			return
		}
		engine["disabled_reason"] = nil
		_ = json.NewDecoder(r.Body).Decode(&engine)
		reply(w, map[string]any{"service": engine})
	})
}
