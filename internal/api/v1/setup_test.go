package v1_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
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

// service is a protection service that does no work, on the real store.
type service struct {
	store *store.Store
	now   func() time.Time

	mu         sync.Mutex
	callers    []protectionservice.Caller
	protects   []protectionservice.ProtectRequest
	restores   []protectionservice.RestoreRequest
	queries    []protectable.Query
	progress   []karbor.ResourceProgress
	credential *store.ApplicationCredential
	// refuse is what the next operations answer.
	refuse error
}

func (s *service) called(c protectionservice.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers = append(s.callers, c)
	return s.refuse
}

func (s *service) Providers() []protectionservice.Provider {
	options := json.RawMessage(`{"type":"object","properties":{"mode":{"type":"string"}}}`)
	return []protectionservice.Provider{
		{ID: provider, Name: "Gold", Description: "fast", Schemas: map[karbor.ResourceType]protection.Schemas{
			karbor.VolumeType: {Options: options, Verify: json.RawMessage(`{"title":"verify"}`)},
		}},
		{ID: second, Name: "silver", Description: "slow"},
	}
}

func (s *service) Provider(id string) (protectionservice.Provider, error) {
	for _, p := range s.Providers() {
		if p.ID == id {
			return p, nil
		}
	}
	return protectionservice.Provider{}, karbor.Errorf(karbor.NotFound, "there is no provider %s", id)
}

func (s *service) ProtectableTypes() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ServerType, karbor.VolumeType}
}

func (s *service) DependentTypes(t karbor.ResourceType) ([]karbor.ResourceType, error) {
	switch t {
	case karbor.ServerType:
		return []karbor.ResourceType{karbor.VolumeType}, nil
	case karbor.VolumeType:
		return nil, nil
	default:
		return nil, karbor.Errorf(karbor.Invalid, "%q is not a protectable type", t)
	}
}

func (s *service) Instances(_ context.Context, c protectionservice.Caller, t karbor.ResourceType, q protectable.Query) ([]protectionservice.Instance, error) {
	if _, err := s.DependentTypes(t); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.queries = append(s.queries, q)
	s.mu.Unlock()
	if err := s.called(c); err != nil {
		return nil, err
	}
	var out []protectionservice.Instance
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		in := protectionservice.Instance{Resource: karbor.Resource{Type: t, ID: id, Name: "name " + string('z'-id[0]+'a')}}
		if t == karbor.ServerType {
			in.Dependents = []karbor.Resource{{Type: karbor.VolumeType, ID: "v" + id, Name: "disk", ExtraInfo: map[string]string{"device": "vda"}}}
		}
		out = append(out, in)
	}
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(in protectionservice.Instance) bool { return in.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no known instance", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

func (s *service) Instance(ctx context.Context, c protectionservice.Caller, t karbor.ResourceType, id string, parameters map[string]any) (protectionservice.Instance, error) {
	all, err := s.Instances(ctx, c, t, protectable.Query{Parameters: parameters})
	for _, in := range all {
		if in.ID == id {
			return in, nil
		}
	}
	if err == nil {
		err = karbor.Errorf(karbor.NotFound, "there is no %s %s", t, id)
	}
	return protectionservice.Instance{}, err
}

func (s *service) CheckPlan(providerID string, p *karbor.Plan) error {
	if _, err := s.Provider(providerID); err != nil {
		return karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	for i, r := range p.Resources {
		if !r.Type.Known() {
			return karbor.Errorf(karbor.Invalid, "resources[%d]: %q is not a resource type", i, r.Type)
		}
	}
	for key := range p.Parameters {
		if _, err := karbor.ParameterType(key); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) Protect(ctx context.Context, c protectionservice.Caller, r protectionservice.ProtectRequest) (karbor.Checkpoint, error) {
	if err := s.called(c); err != nil {
		return karbor.Checkpoint{}, err
	}
	p, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
	if err != nil {
		return karbor.Checkpoint{}, err
	}
	s.mu.Lock()
	s.protects = append(s.protects, r)
	s.mu.Unlock()
	g := &karbor.Graph{}
	for _, resource := range p.Resources {
		g.Add(resource, "")
	}
	extra := map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)}
	maps.Copy(extra, r.ExtraInfo)
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, Status: karbor.CheckpointProtecting,
		Plan:  karbor.PlanRecord{ID: p.ID, Name: p.Name, ProviderID: p.ProviderID, Resources: p.Resources},
		Graph: g, ExtraInfo: extra, CreatedAt: s.now(), Size: 7,
	}
	return cp, s.store.PutCheckpoint(ctx, cp)
}

func (s *service) RegisterCredential(_ context.Context, c protectionservice.Caller, id string, secret karbor.Secret) (store.ApplicationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret.Reveal() == "wrong" {
		return store.ApplicationCredential{}, karbor.Errorf(karbor.Invalid, "the application credential does not log in")
	}
	s.credential = &store.ApplicationCredential{ProjectID: c.Identity.ProjectID, UserID: c.Identity.UserID, ID: id, CreatedAt: s.now()}
	return *s.credential, nil
}

func (s *service) Credential(context.Context, protectionservice.Caller) (store.ApplicationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credential == nil {
		return store.ApplicationCredential{}, karbor.Errorf(karbor.NotFound, "none")
	}
	return *s.credential, nil
}

func (s *service) ForgetCredential(context.Context, protectionservice.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credential = nil
	return nil
}

func (s *service) DeleteCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string) error {
	if _, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, providerID, id); err != nil {
		return err
	}
	return s.called(c)
}

func (s *service) ResetCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string, to karbor.CheckpointStatus) error {
	if err := s.called(c); err != nil {
		return err
	}
	return s.store.SetCheckpointStatus(ctx, c.Identity.ProjectID, providerID, id, to)
}

func (s *service) CheckpointProgress(_ context.Context, c protectionservice.Caller, _, _ string) ([]karbor.ResourceProgress, error) {
	return s.progress, s.called(c)
}

func (s *service) Restore(ctx context.Context, c protectionservice.Caller, r protectionservice.RestoreRequest) (karbor.Restore, error) {
	if err := s.called(c); err != nil {
		return karbor.Restore{}, err
	}
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, r.ProviderID, r.CheckpointID)
	if err != nil {
		return karbor.Restore{}, err
	}
	s.mu.Lock()
	s.restores = append(s.restores, r)
	s.mu.Unlock()
	restore := karbor.Restore{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, CheckpointID: r.CheckpointID,
		RestoreTarget: r.Target, Parameters: r.Parameters, Status: karbor.RestoreInProgress,
		ResourcesStatus: map[string]karbor.ResourceState{"OS::Cinder::Volume#" + volume: karbor.ResourceRestoring},
		CreatedAt:       s.now(),
	}
	return restore, s.store.Accept(ctx, store.Acceptance{
		Operation: store.Operation{
			ID: karbor.NewID(), Type: karbor.RestoreOperation, ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID,
			CheckpointID: cp.ID, RestoreID: restore.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, CreatedAt: s.now(),
		},
		Log: karbor.OperationLog{
			ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, OperationType: karbor.RestoreOperation, CheckpointID: cp.ID,
			PlanID: cp.Plan.ID, ProviderID: r.ProviderID, RestoreID: restore.ID, Status: karbor.LogInProgress,
			StartedAt: s.now(), ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)},
		},
		Restore: &restore,
	})
}

func (s *service) RestoreProgress(_ context.Context, c protectionservice.Caller, _ string) ([]karbor.ResourceProgress, error) {
	return s.progress, s.called(c)
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
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "karbor.db"), store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &service{store: db, now: now}
	return v1.Deps{
		Store: db, Service: s, PlanQuota: 50, Now: now,
		Session: func(id *karbor.Identity) karbor.Cloud { return cloud{id.ProjectID, id.UserID} },
	}, s
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d, s := deps(t)
	h, err := api.New(api.Options{
		Routes: v1.Routes(d), Policy: policy.New(), Logger: slog.New(slog.DiscardHandler), Now: d.Now,
		AuthURL: "http://keystone.example/v3",
		Authenticator: tokens{
			"member":   {UserID: "m", ProjectID: ours, Roles: []string{"member", "reader"}},
			"reader":   {UserID: "r", ProjectID: ours, Roles: []string{"reader"}},
			"admin":    {UserID: "a", ProjectID: ours, Roles: []string{"admin", "member", "reader"}},
			"stranger": {UserID: "s", ProjectID: theirs, Roles: []string{"member"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{h, s.store, s}
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
	a := answer{status: rec.Code, text: rec.Body.String(), header: rec.Header()}
	if a.text != "" {
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
