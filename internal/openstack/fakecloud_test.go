package openstack

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
)

// start is when all tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// seen is one request that the fake cloud got.
type seen struct {
	line, token string
	header      http.Header
	body        map[string]any
}

// fakeCloud is a Keystone with one compute service, just large enough to see what
// this package sends.
type fakeCloud struct {
	t      *testing.T
	server *httptest.Server
	clock  *clock

	mu     sync.Mutex
	tokens map[string]map[string]any // token documents
	trusts map[string]map[string]any
	seen   []seen
	// hook may answer a request in place of the fake.
	hook func(w http.ResponseWriter, r *http.Request, body map[string]any) bool
	// endpoint, if set, is where the catalogue says that the compute service is.
	endpoint string
	// compute answers below /compute/v2.1/.
	compute http.HandlerFunc
}

func newFakeCloud(t *testing.T) *fakeCloud {
	f := &fakeCloud{t: t, clock: &clock{at: start}, tokens: map[string]map[string]any{}, trusts: map[string]map[string]any{}}
	f.compute = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{"ok": true}) }
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func reply(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

func (f *fakeCloud) authority(options ...func(*Options)) *Authority {
	o := Options{
		AuthURL: f.server.URL, Username: "karbor", Password: "service-pass", Project: "service",
		Now: f.clock.now, HTTP: f.server.Client(),
	}
	for _, set := range options {
		set(&o)
	}
	a, err := NewAuthority(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	a.site.transport.firstPause = time.Millisecond
	return a
}

// add makes a token known.
func (f *fakeCloud) add(token, user, project string, more map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	doc := map[string]any{
		"methods": []string{"password"}, "expires_at": f.clock.now().Add(time.Hour).Format(time.RFC3339),
		"user": map[string]any{"id": user + "-id", "name": user}, "roles": []any{map[string]any{"id": "1", "name": "member"}},
	}
	if project != "" {
		doc["project"] = map[string]any{"id": project + "-id", "name": project}
	}
	maps.Copy(doc, more)
	f.tokens[token] = doc
}

func (f *fakeCloud) remove(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

func (f *fakeCloud) setHook(h func(w http.ResponseWriter, r *http.Request, body map[string]any) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = h
}

// lines gives the requests whose line starts with prefix.
func (f *fakeCloud) lines(prefix string) []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []seen
	for _, s := range f.seen {
		if strings.HasPrefix(s.line, prefix) {
			out = append(out, s)
		}
	}
	return out
}

func (f *fakeCloud) catalog() []any {
	endpoint := f.server.URL + "/compute/v2.1"
	if f.endpoint != "" {
		endpoint = f.endpoint
	}
	return []any{map[string]any{"type": "compute", "endpoints": []any{
		map[string]any{"interface": "internal", "region": "RegionOne", "url": "http://internal.invalid/"},
		map[string]any{"interface": "public", "region": "RegionOne", "url": endpoint},
	}}, map[string]any{"type": "key-manager", "endpoints": []any{
		map[string]any{"interface": "public", "region": "RegionOne", "url": f.server.URL + "/key-manager"},
	}}}
}

func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	token := r.Header.Get("X-Auth-Token")
	f.mu.Lock()
	f.seen = append(f.seen, seen{r.Method + " " + r.URL.Path, token, r.Header.Clone(), body})
	hook, known := f.hook, f.tokens[token] != nil
	f.mu.Unlock()
	if hook != nil && hook(w, r, body) {
		return
	}
	switch line := r.Method + " " + r.URL.Path; {
	case line == "POST /v3/auth/tokens":
		f.issue(w, body)
	case !known:
		reply(w, 401, map[string]any{"error": map[string]any{"message": "requires authentication"}})
	case line == "GET /v3/auth/tokens":
		f.show(w, r.Header.Get("X-Subject-Token"))
	case line == "GET /v3/auth/catalog":
		reply(w, 200, map[string]any{"catalog": f.catalog()})
	case line == "GET /v3/auth/projects":
		reply(w, 200, map[string]any{"projects": []any{map[string]any{"id": "alpha-id", "name": "alpha"}}})
	case line == "POST /v3/OS-TRUST/trusts":
		f.trust(w, token, body)
	case strings.HasPrefix(line, "DELETE /v3/OS-TRUST/trusts/"):
		f.mu.Lock()
		delete(f.trusts, r.URL.Path[len("/v3/OS-TRUST/trusts/"):])
		f.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case line == "GET /compute/v2.1/":
		reply(w, 200, map[string]any{"version": map[string]any{"id": "v2.1", "version": "2.93", "min_version": "2.1"}})
	default:
		f.compute(w, r)
	}
}

// show describes a token that is known, and 404 else, as Keystone does.
func (f *fakeCloud) show(w http.ResponseWriter, subject string) {
	f.mu.Lock()
	doc := f.tokens[subject]
	f.mu.Unlock()
	if doc == nil {
		reply(w, 404, map[string]any{"error": map[string]any{"message": "could not recognize token " + subject}})
		return
	}
	reply(w, 200, map[string]any{"token": doc})
}

// issue gives tokens to the users karbor and alice, and to karbor for a trust.
func (f *fakeCloud) issue(w http.ResponseWriter, body map[string]any) {
	a := body["auth"].(map[string]any)
	identity := a["identity"].(map[string]any)
	user, project, more := "", "", map[string]any{}
	if method := identity["methods"].([]any)[0]; method == "password" {
		u := identity["password"].(map[string]any)["user"].(map[string]any)
		passwords := map[any]string{"karbor": "service-pass", "alice": "alice-pass"}
		if passwords[u["name"]] == u["password"] {
			user = u["name"].(string)
		}
	} else if c, ok := identity["application_credential"].(map[string]any); ok && c["secret"] == "ac-secret" {
		user, project = "alice", "alpha"
	}
	scope, _ := a["scope"].(map[string]any)
	if p, ok := scope["project"].(map[string]any); ok {
		project, _ = p["name"].(string)
		if id, ok := p["id"].(string); ok {
			project = strings.TrimSuffix(id, "-id")
		}
	}
	if id, ok := scope["OS-TRUST:trust"].(map[string]any); ok {
		f.mu.Lock()
		trust := f.trusts[id["id"].(string)]
		f.mu.Unlock()
		if trust == nil {
			user = ""
		} else if user == "karbor" {
			user, project = "alice", "alpha"
			more["OS-TRUST:trust"] = id
		}
	}
	if user == "" {
		reply(w, 401, map[string]any{"error": map[string]any{"message": "The request you have made requires authentication."}})
		return
	}
	f.mu.Lock()
	token := fmt.Sprintf("%s-token-%d", user, len(f.seen))
	f.mu.Unlock()
	if project != "" {
		more["catalog"] = f.catalog()
	}
	f.add(token, user, project, more)
	f.mu.Lock()
	doc := f.tokens[token]
	f.mu.Unlock()
	w.Header().Set("X-Subject-Token", token)
	reply(w, 201, map[string]any{"token": doc})
}

// trust makes a trust, but not for a delegated token.
func (f *fakeCloud) trust(w http.ResponseWriter, token string, body map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	doc := f.tokens[token]
	if doc["OS-TRUST:trust"] != nil || doc["application_credential"] != nil {
		reply(w, 403, map[string]any{"error": map[string]any{"message": "Delegated tokens cannot manage trusts."}})
		return
	}
	id := fmt.Sprintf("trust-%d", len(f.trusts)+1)
	f.trusts[id] = body["trust"].(map[string]any)
	reply(w, 201, map[string]any{"trust": map[string]any{"id": id}})
}

// identity validates a fresh token of alice in alpha.
func (f *fakeCloud) identity(a *Authority) *karbor.Identity {
	f.t.Helper()
	f.add("alice-own", "alice", "alpha", nil)
	id, err := a.Validate(f.t.Context(), "alice-own")
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// secrets are all the texts that no error may hold.
var secrets = []string{"service-pass", "alice-pass", "ac-secret", "alice-own", "-token-", "wrong-pass"}

// noSecrets fails the test if err tells one, in any form.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	if i := slices.IndexFunc(secrets, func(s string) bool { return strings.Contains(text, s) }); i >= 0 {
		t.Errorf("the error holds the secret %q: %s", secrets[i], text)
	}
}
