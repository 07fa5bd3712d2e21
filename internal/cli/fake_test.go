package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
)

// Ids of the fake's things.
const (
	projectID = "11111111111111111111111111111111"
	bankID    = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	noopID    = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"
	serverID  = "aaaaaaaa-0000-4000-8000-000000000001"
	volumeID  = "bbbbbbbb-0000-4000-8000-000000000001"
	networkID = "cccccccc-0000-4000-8000-000000000001"
	password  = "fake-password"
	oldToken  = "token-1"
)

// fake is Keystone and Karbor in one server, with just enough behaviour for the
// command's stories. Each look at a running operation brings it one stage on.
type fake struct {
	mu          sync.Mutex
	server      *httptest.Server
	plans       []map[string]any
	checkpoints []map[string]any
	restores    []map[string]any
	copies      []map[string]any
	// over are verifications and drills, none of which is being carried out.
	over       []map[string]any
	stages     map[string]int
	limits     map[string]any
	registered string // the id of the registered application credential
	logins     int
	// expired makes the first token of a run useless; down answers 503.
	expired, down bool
	// bad makes operations end badly, live has them tell how far they are by themselves.
	bad, live bool
}

func newFake(t testing.TB) *fake {
	f := &fake{stages: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/auth/tokens", f.login)
	mux.HandleFunc("GET /v3/projects", func(w http.ResponseWriter, r *http.Request) {
		found := []any{}
		if r.URL.Query().Get("name") == "other" {
			found = append(found, map[string]any{"id": strings.Repeat("2", 32), "name": "other"})
		}
		reply(w, map[string]any{"projects": found, "links": map[string]any{}})
	})
	v1 := func(pattern string, handle func(w http.ResponseWriter, r *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /v1/"+projectID+path, f.guard(handle))
	}
	v1("GET /providers", f.providers)
	v1("GET /providers/{id}", f.provider)
	v1("GET /protectables", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"protectable_type": []karbor.ResourceType{karbor.ServerType, karbor.VolumeType}})
	})
	v1("GET /protectables/{type}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"protectable_type": map[string]any{"name": r.PathValue("type"),
			"dependent_types": []karbor.ResourceType{karbor.VolumeType, karbor.NetworkType}}})
	})
	v1("GET /protectables/{type}/instances", f.instances)
	v1("GET /protectables/{type}/instances/{id}", f.instance)
	v1("POST /plans", f.createPlan)
	v1("GET /plans", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "plans", f.plans) })
	v1("GET /plans/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "plan", f.plans) })
	v1("PUT /plans/{id}", f.updatePlan)
	v1("DELETE /plans/{id}", f.deletePlan)
	v1("POST /providers/{provider}/checkpoints", f.createCheckpoint)
	v1("GET /providers/{provider}/checkpoints", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "checkpoints", f.withDrills()) })
	v1("GET /providers/{provider}/checkpoints/{id}", f.checkpoint)
	v1("DELETE /providers/{provider}/checkpoints/{id}", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusConflict, "conflictingRequest", "the checkpoint is protecting: wait for its end")
	})
	v1("PUT /providers/{provider}/checkpoints/{id}", f.resetCheckpoint)
	v1("POST /restores", f.createRestore)
	v1("GET /restores/{id}", f.restore)
	v1("GET /operation_logs", func(w http.ResponseWriter, r *http.Request) {
		f.page(w, r, "operation_logs", []map[string]any{{"id": newID(900), "operation_type": "protect", "checkpoint_id": newID(1),
			"plan_id": newID(2), "provider_id": bankID, "restore_id": nil, "scheduled_operation_id": nil, "status": "available",
			"started_at": "2026-01-02T03:04:05Z", "ended_at": "2026-01-02T03:05:06Z", "error_info": nil, "extra_info": nil}})
	})
	v1("PUT /application_credential", f.registerCredential)
	v1("GET /application_credential", f.credential)
	v1("DELETE /application_credential", func(http.ResponseWriter, *http.Request) { f.registered = "" })
	f.operations(v1)
	f.keepings(v1)
	f.compliance(v1)
	f.drills(v1)
	f.quotas(v1)
	f.schedules(v1)
	f.temporaryResources(v1)
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

func newID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("X-Openstack-Request-Id", "req-fake")
	w.WriteHeader(status)
	reply(w, map[string]any{name: map[string]any{"code": status, "message": message}})
}

// guard checks the token and lets one request in at a time.
func (f *fake) guard(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		token := r.Header.Get("X-Auth-Token")
		switch {
		case f.down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case !strings.HasPrefix(token, "token-") || f.expired && token == oldToken:
			refuse(w, http.StatusUnauthorized, "unauthorized", "the token is no good")
		default:
			handle(w, r)
		}
	}
}

func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text strings.Builder
	var body any
	_ = json.NewDecoder(r.Body).Decode(&body)
	_ = json.NewEncoder(&text).Encode(body)
	if !strings.Contains(text.String(), password) {
		w.WriteHeader(http.StatusUnauthorized)
		reply(w, map[string]any{"error": map[string]any{"code": 401, "message": "no"}})
		return
	}
	f.logins++
	w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", f.logins))
	w.WriteHeader(http.StatusCreated)
	reply(w, map[string]any{"token": map[string]any{
		"expires_at": "2099-01-01T00:00:00.000000Z", "project": map[string]any{"id": projectID, "name": "demo"},
		"catalog": []any{map[string]any{"type": "data-protect", "name": "karbor", "id": "k", "endpoints": []any{map[string]any{
			"id": "e", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": f.server.URL + "/v1/" + projectID}}}},
	}})
}

// page answers with pages of two, whatever the limit.
func (f *fake) page(w http.ResponseWriter, r *http.Request, key string, items []map[string]any) {
	const size = 2
	from := 0
	if marker := r.URL.Query().Get("marker"); marker != "" {
		for i, item := range items {
			if item["id"] == marker {
				from = i + 1
			}
		}
	}
	to := min(from+size, len(items))
	answer := map[string]any{key: append([]map[string]any{}, items[from:to]...)}
	if to < len(items) {
		answer[key+"_links"] = []any{map[string]any{"rel": "next",
			"href": "http://elsewhere.example" + r.URL.Path + "?marker=" + items[to-1]["id"].(string)}}
	}
	reply(w, answer)
}

func (f *fake) one(w http.ResponseWriter, r *http.Request, key string, items []map[string]any) {
	if item := f.byID(r.PathValue("id"), items); item != nil {
		reply(w, map[string]any{key: item})
		return
	}
	refuse(w, http.StatusNotFound, "itemNotFound", fmt.Sprintf("there is no %s %s", key, r.PathValue("id")))
}

func (f *fake) byID(id string, items []map[string]any) map[string]any {
	for _, item := range items {
		if item["id"] == id {
			return item
		}
	}
	return nil
}
