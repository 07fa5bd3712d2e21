package cli_test

import (
	"encoding/json"
	"maps"
	"net/http"
)

// quotas adds quotas, quota classes, verifications and copies to the fake.
func (f *fake) quotas(v1 func(pattern string, handle func(w http.ResponseWriter, r *http.Request))) {
	f.limits = map[string]any{"plans": 50, "checkpoints": -1, "gigabytes": 1000}
	defaults := maps.Clone(f.limits)
	shown := func(key, id string, limits map[string]any) map[string]any {
		v := maps.Clone(limits)
		v["id"] = id
		return map[string]any{key: v}
	}
	for key, path := range map[string]string{"quota": "/quotas/{id}", "quota_class": "/quota_classes/{id}"} {
		v1("GET "+path, func(w http.ResponseWriter, r *http.Request) { reply(w, shown(key, r.PathValue("id"), f.limits)) })
		v1("PUT "+path, func(w http.ResponseWriter, r *http.Request) {
			var body map[string]map[string]any
			_ = json.NewDecoder(r.Body).Decode(&body)
			maps.Copy(f.limits, body[key])
			reply(w, shown(key, r.PathValue("id"), f.limits))
		})
	}
	v1("DELETE /quotas/{id}", func(http.ResponseWriter, *http.Request) { maps.Copy(f.limits, defaults) })
	v1("GET /quotas/{id}/defaults", func(w http.ResponseWriter, r *http.Request) { reply(w, shown("quota", r.PathValue("id"), defaults)) })
	v1("GET /quotas/{id}/detail", func(w http.ResponseWriter, r *http.Request) {
		detail := map[string]any{"id": r.PathValue("id")}
		for i, name := range []string{"plans", "checkpoints", "gigabytes"} {
			detail[name] = map[string]any{"limit": f.limits[name], "in_use": i + 3, "reserved": i}
		}
		reply(w, map[string]any{"quota": detail})
	})
	verifications := []map[string]any{{
		"id": newID(300), "project_id": projectID, "provider_id": bankID, "checkpoint_id": newID(100), "parameters": map[string]any{},
		"status": "error", "resource_status": map[string]any{"OS::Cinder::Volume#" + volumeID: "error"},
		"resource_reason": map[string]any{"OS::Cinder::Volume#" + volumeID: "Backup not found"}, "created_at": "2026-01-02T03:04:05Z",
	}}
	v1("GET /verifications", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "verifications", verifications) })
	v1("GET /verifications/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "verification", verifications) })
	v1("POST /verifications", f.notOffered("verify"))
	f.over = append(f.over, verifications...)
	f.copies = []map[string]any{{
		"id": newID(400), "project_id": projectID, "provider_id": bankID, "plan_id": newID(1), "parameters": map[string]any{},
		"status": "copying", "checkpoint_id": []any{map[string]any{"checkpoint_protect_id": newID(100), "checkpoint_copy_id": newID(101)}},
	}}
	v1("GET /providers/{provider}/copies", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "copies", f.copies) })
	v1("GET /providers/{provider}/copies/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "copy", f.copies) })
	v1("POST /providers/{provider}/checkpoints/action", f.notOffered("copy"))
}

// notOffered repeats the body in its refusal, so that a script sees what was sent.
func (f *fake) notOffered(operation string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body any
		_ = json.NewDecoder(r.Body).Decode(&body)
		text, _ := json.Marshal(body)
		refuse(w, http.StatusNotImplemented, "notImplemented", "the operation "+operation+" is not offered: "+string(text))
	}
}

func (f *fake) resetCheckpoint(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Reset map[string]any `json:"os-resetState"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	cp := f.byID(r.PathValue("id"), f.checkpoints)
	if cp == nil {
		refuse(w, http.StatusNotFound, "itemNotFound", "there is no checkpoint "+r.PathValue("id"))
		return
	}
	cp["status"] = body.Reset["state"]
	reply(w, map[string]any{})
}
