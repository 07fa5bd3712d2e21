package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/policy"
)

const (
	project = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	thing   = "5b7b8a5d-0a6c-4c4c-9d4d-3a4d5f6a7b8c"
	global  = "req-0d8c5e4b-2f3a-4d1e-9f60-71829304a5b6"
)

// tokens is an authenticator with fixed tokens.
type tokens map[string]*karbor.Identity

func (t tokens) Validate(_ context.Context, token karbor.Secret) (*karbor.Identity, error) {
	switch id := t[token.Reveal()]; {
	case token == "keystone-down":
		return nil, karbor.Transientf("Keystone does not answer")
	case id == nil:
		return nil, karbor.Errorf(karbor.Unauthorized, "Keystone says no to %s", "something internal")
	default:
		return id, nil
	}
}

func identities() tokens {
	member := &karbor.Identity{UserID: "u1", ProjectID: project, Roles: []string{"member", "reader"}}
	return tokens{
		"member": member,
		"reader": {UserID: "u2", ProjectID: project, Roles: []string{"reader"}},
		"admin":  {UserID: "u3", ProjectID: project, Roles: []string{"admin"}},
	}
}

const bodySchema = `{"type": "object", "additionalProperties": false, "required": ["thing"],
 "properties": {"thing": {"type": "object", "additionalProperties": false,
  "properties": {"name": {"type": "string"}, "count": {"type": "integer"}, "more": {}}}}}`

// routes are what the tests of the road serve.
func routes() []api.Route {
	list := func(_ context.Context, r *api.Request) (any, error) {
		p, err := r.Page("id", "created_at")
		if err != nil {
			return nil, err
		}
		var all []string
		for i := range 25 {
			all = append(all, fmt.Sprintf("%02d", i))
		}
		self := func(s string) string { return s }
		page, err := api.Window(p, all, self)
		if err != nil {
			return nil, err
		}
		return api.List(r, "things", p, page, self), nil
	}
	return []api.Route{
		{Method: "GET", Pattern: "/things", Rule: "plan:get_all", Handle: list},
		{Method: "POST", Pattern: "/things", Rule: "plan:create", Body: json.RawMessage(bodySchema),
			Handle: func(_ context.Context, r *api.Request) (any, error) {
				var v map[string]any
				if err := r.Decode(&v); err != nil {
					return nil, err
				}
				return v, nil
			}},
		{Method: "GET", Pattern: "/things/{id}", Rule: "plan:get",
			Handle: func(ctx context.Context, r *api.Request) (any, error) {
				id, err := r.ID("id")
				return map[string]any{"id": id, "version": r.Version.String(), "request_id": api.RequestID(ctx)}, err
			}},
		{Method: "DELETE", Pattern: "/things/{id}", Rule: "plan:delete",
			Handle: func(context.Context, *api.Request) (any, error) { return nil, nil }},
		{Method: "GET", Pattern: "/faults/{kind}", Rule: "plan:get", Handle: fail},
		{Method: "GET", Pattern: "/panic", Rule: "plan:get",
			Handle: func(context.Context, *api.Request) (any, error) { panic("secret of ours") }},
	}
}

func fail(_ context.Context, r *api.Request) (any, error) {
	if r.Path("kind") == "plain" {
		return nil, errors.New("secret of ours")
	}
	var k karbor.Kind
	if _, err := fmt.Sscan(r.Path("kind"), &k); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("around: %w", &karbor.Error{Kind: k, Message: "the sentence", Cause: errors.New("secret of ours")})
}

type served struct {
	handler http.Handler
	log     *bytes.Buffer
}

func serve(t testing.TB, change func(*api.Options)) served {
	t.Helper()
	var log bytes.Buffer
	var mu sync.Mutex
	clock := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	o := api.Options{
		Routes: routes(), Authenticator: identities(), Policy: policy.New(),
		Logger:  slog.New(slog.NewJSONHandler(&log, nil)),
		AuthURL: "http://keystone.example/v3",
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			clock = clock.Add(time.Millisecond)
			return clock
		},
	}
	if change != nil {
		change(&o)
	}
	h, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return served{h, &log}
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// do sends a request; headers come as "Name: value". A body makes it application/json
// unless a header says otherwise.
func (s served) do(t testing.TB, method, path, token, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://karbor.example:8799/", strings.NewReader(body))
	raw, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = "", query
	r.URL.Path, r.URL.RawPath = unescape(raw), raw
	r.RequestURI = path
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	if a.text != "" {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			t.Errorf("%s %s: the answer %q is not JSON: %v", method, path, a.text, err)
		}
	}
	return a
}

func unescape(s string) string {
	return strings.NewReplacer("%2F", "/", "%2f", "/", "%20", " ").Replace(s)
}

// wantFault checks the envelope of an error, and gives its message.
func wantFault(t *testing.T, a answer, status int, name string) string {
	t.Helper()
	inner, _ := a.body[name].(map[string]any)
	if a.status != status || len(a.body) != 1 || inner == nil || inner["code"] != float64(status) {
		t.Fatalf("got %d %s, want %d %s", a.status, a.text, status, name)
	}
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("content type %q", a.header.Get("Content-Type"))
	}
	message, _ := inner["message"].(string)
	if message == "" || strings.Contains(message, "secret of ours") {
		t.Errorf("message %q", message)
	}
	return message
}
