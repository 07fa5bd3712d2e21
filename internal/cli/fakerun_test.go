package cli_test

import (
	"encoding/json"
	"maps"
	"net/http"
)

// scheduleRuns adds to the fake what microversion 1.4 does with scheduled operations.
func (f *fake) scheduleRuns(v1 func(pattern string, handle func(w http.ResponseWriter, r *http.Request)), find func(id string) map[string]any) {
	at := "2026-12-01T02:00:00Z"
	run := func(state, reason string) map[string]any {
		return map[string]any{"id": newID(600), "expected_at": at, "manual": state == "queued", "state": state, "triggered_at": at,
			"started_at": nil, "ended_at": nil, "checkpoint_id": nil, "reason": reason}
	}
	v1("POST /triggers/check", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"next_runs": []string{at, "2026-12-02T02:00:00Z"}})
	})
	v1("PUT /scheduled_operations/{id}", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		o := find(r.PathValue("id"))
		maps.Copy(o, body["scheduled_operation"])
		reply(w, map[string]any{"scheduled_operation": o})
	})
	v1("POST /scheduled_operations/{id}/action", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		o := find(r.PathValue("id"))
		for action, asked := range body {
			switch action {
			case "run":
				reply(w, map[string]any{"run": run("queued", "")})
				return
			case "skip":
				reply(w, map[string]any{"run": run("skipped", "it was skipped by me")})
				return
			case "pause":
				o["state"], o["paused_until"] = "paused", asked["until"]
			case "resume":
				o["state"], o["paused_until"] = "waiting", nil
			}
		}
		reply(w, map[string]any{"scheduled_operation": o})
	})
	v1("GET /scheduled_operations/{id}/runs", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"runs": []any{run("success", "An older checkpoint is being deleted."), run("dropped_out_of_window", "no operation engine")}})
	})
}
