package v1_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/quota"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/trigger"
)

const (
	ours     = "11111111111111111111111111111111"
	theirs   = "22222222222222222222222222222222"
	provider = "cf56bd3e-97a7-4078-b6d5-f36246333fd9"
	second   = "aa56bd3e-97a7-4078-b6d5-f36246333fd9"
	unknown  = "00000000-0000-4000-8000-000000000000"
	volume   = "7a5c8b1e-2f3d-4c5b-9a6e-1d2c3b4a5f60"
)

// cloud is a session of nobody's.
type cloud struct{ project, user string }

func (c cloud) ProjectID() string { return c.project }
func (c cloud) UserID() string    { return c.user }

type tokens map[string]*karbor.Identity

func (t tokens) Validate(_ context.Context, token karbor.Secret) (*karbor.Identity, error) {
	if id := t[token.Reveal()]; id != nil {
		return id, nil
	}
	return nil, karbor.Errorf(karbor.Unauthorized, "no")
}

// world is the API on a real store.
type world struct {
	handler http.Handler
	store   *store.Store
	service *service
}

func deps(t testing.TB) (v1.Deps, *service) {
	t.Helper()
	var mu sync.Mutex
	clock := time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		clock = clock.Add(time.Second)
		return clock
	}
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &service{store: db, path: path, now: now}
	configured := store.Limits{store.QuotaPlans: 50, store.QuotaGigabytes: 1000}
	return v1.Deps{
		Store: db, Service: s, Delegations: s, Inventory: s, Now: now,
		Quotas: quota.New(quota.Options{Store: db, Configured: configured, Logger: slog.New(slog.DiscardHandler)}), Limits: configured, MappingProfiles: 100,
		Session:         func(id *karbor.Identity) karbor.Cloud { return cloud{id.ProjectID, id.UserID} },
		Triggers:        trigger.Limits{MinWindow: 900 * time.Second, MaxWindow: 1800 * time.Second, MinInterval: time.Hour},
		ServiceDownTime: time.Minute, Compliance: reporter(db),
	}, s
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return worldUnder(t, policy.New())
}

// worldUnder is newWorld with other rules.
func worldUnder(t testing.TB, rules api.Enforcer) *world {
	t.Helper()
	d, s := deps(t)
	w := worldOf(t, d, rules)
	w.store, w.service = s.store, s
	return w
}

// worldOf is a world without the fakes that it is made of.
func worldOf(t testing.TB, d v1.Deps, rules api.Enforcer) *world {
	t.Helper()
	h, err := api.New(api.Options{
		Routes: v1.Routes(d), Policy: rules, Logger: slog.New(slog.DiscardHandler), Now: d.Now,
		// The clock runs fast: nobody is to wait by it.
		Limits:  api.Limits{Working: 1000},
		AuthURL: "http://keystone.example/v3", Replays: d.Store.(api.Replays), Owner: "test",
		Authenticator: tokens{
			"member":   {UserID: "m", ProjectID: ours, Roles: []string{"member", "reader"}},
			"reader":   {UserID: "r", ProjectID: ours, Roles: []string{"reader"}},
			"admin":    {UserID: "a", ProjectID: ours, Roles: []string{"admin", "member", "reader"}},
			"stranger": {UserID: "s", ProjectID: theirs, Roles: []string{"member"}},
			"manager":  {UserID: "g", ProjectID: ours, Roles: []string{"manager", "member", "reader"}},
			"service":  {UserID: "k", ProjectID: ours, Roles: []string{"service"}},
			"other":    {UserID: "o", ProjectID: ours, Roles: []string{"creator"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{handler: h}
}

type answer struct {
	status int
	text   string
	body   map[string]any
	header http.Header
}

// get gives a member of the answer by its path, such as plan.id.
func (a answer) get(path string) any {
	var v any = a.body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// call sends a request; path is below /v1/{project_id}, whose project is the token's.
func (w *world) call(t testing.TB, token, method, path, body string, headers ...string) answer {
	t.Helper()
	project := ours
	if token == "stranger" {
		project = theirs
	}
	return w.raw(t, token, method, "/v1/"+project+path, body, headers...)
}

func (w *world) raw(t testing.TB, token, method, path, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	// The original's client sends it with a GET too.
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	checkContract(t, r, rec)
	a := answer{status: rec.Code, text: rec.Body.String(), header: rec.Header()}
	if a.text != "" && a.header.Get("Content-Type") != "text/event-stream" {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
			t.Errorf("%s %s: %q is not JSON", method, path, a.text)
		}
	}
	return a
}

// want fails unless the status is as wanted and a fault's message has all the parts.
func (a answer) want(t testing.TB, status int, parts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, p := range parts {
		if !strings.Contains(a.text, p) {
			t.Errorf("%s does not say %q", a.text, p)
		}
	}
	return a
}

// v11 asks for microversion 1.1.
const v11 = "OpenStack-API-Version: data-protect 1.1"

// v12 asks for microversion 1.2.
const v12 = "OpenStack-API-Version: data-protect 1.2"

// v13 asks for microversion 1.3.
const v13 = "OpenStack-API-Version: data-protect 1.3"

const planBody = `{"plan": {"name": "nightly", "description": null, "provider_id": "` + provider + `",
 "parameters": {"OS::Cinder::Volume": {"mode": "full"}, "OS::Cinder::Volume#` + volume + `": {"mode": "incremental"}},
 "resources": [{"id": "` + volume + `", "type": "OS::Cinder::Volume", "name": "disk", "extra_info": {"availability_zone": "nova"}}]}}`

// plan makes a plan and gives its id.
func (w *world) plan(t testing.TB, token string) string {
	t.Helper()
	return w.call(t, token, "POST", "/plans", planBody).want(t, 200).str("plan.id")
}

// checkpoint makes a checkpoint and gives its id.
func (w *world) checkpoint(t testing.TB, token string) string {
	t.Helper()
	body := `{"checkpoint": {"plan_id": "` + w.plan(t, token) + `"}}`
	return w.call(t, token, "POST", "/providers/"+provider+"/checkpoints", body).want(t, 200).str("checkpoint.id")
}

func restoreBody(checkpoint string) string {
	return `{"restore": {"provider_id": "` + provider + `", "checkpoint_id": "` + checkpoint + `",
	 "restore_target": null, "restore_auth": null, "parameters": {}}}`
}

// restore makes a restore and gives its id.
func (w *world) restore(t testing.TB, token string) string {
	t.Helper()
	return w.call(t, token, "POST", "/restores", restoreBody(w.checkpoint(t, token))).want(t, 200).str("restore.id")
}
