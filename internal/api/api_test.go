package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/policy"
)

func TestEveryAnswerCarriesItsRequestID(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	seen := map[string]bool{}
	for _, path := range []string{"/", "/v1", "/nothing", "/v1/" + project + "/things", "/v1/" + project + "/panic"} {
		for _, token := range []string{"", "member"} {
			a := s.do(t, "GET", path, token, "")
			id := a.header.Get("X-Openstack-Request-Id")
			uuid, ok := strings.CutPrefix(id, "req-")
			if !ok || !karbor.IsUUID(uuid) || a.header.Get("X-Compute-Request-Id") != id || seen[id] {
				t.Errorf("%s: request ids %q and %q", path, id, a.header.Get("X-Compute-Request-Id"))
			}
			seen[id] = true
		}
	}
}

func TestTheHandlerKnowsTheRequestID(t *testing.T) {
	t.Parallel()
	a := serve(t, nil).do(t, "GET", "/v1/"+project+"/things/"+thing, "member", "")
	if a.body["request_id"] != a.header.Get("X-Openstack-Request-Id") {
		t.Errorf("%s", a.text)
	}
}

func TestTheAccessLineNamesTheCallerAndHidesTheQueryAndToken(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	s.do(t, "GET", "/v1/"+project+"/things?marker=private-marker", "member", "", "X-Openstack-Request-Id: "+global)
	s.do(t, "GET", "/", "member", "", "X-Openstack-Request-Id: req-not-one")
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("log:\n%s", s.log)
	}
	var first map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "GET", "path": "/v1/" + project + "/things",
		"status": 400.0, "global_request_id": global, "project_id": project, "user_id": "u1",
		// By the test's clock, which was looked at three times more, for the request's turn.
		"duration": float64(4 * time.Millisecond),
	}
	for k, v := range want {
		if first[k] != v {
			t.Errorf("%s is %v, want %v", k, first[k], v)
		}
	}
	if strings.Contains(s.log.String(), "private-marker") || strings.Contains(lines[1], "req-not-one") || strings.Contains(lines[0], `"member"`) {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestWithoutAGoodTokenNothingIsServed(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, token := range []string{"", "stolen"} {
		for _, path := range []string{"/v1/" + project + "/things", "/v1/" + project + "/nothing", "/v1/other/things"} {
			a := s.do(t, "GET", path, token, "")
			message := wantFault(t, a, 401, "unauthorized")
			if got := a.header.Get("WWW-Authenticate"); got != `Keystone uri="http://keystone.example/v3"` {
				t.Errorf("WWW-Authenticate %q", got)
			}
			if strings.Contains(message, "internal") {
				t.Errorf("the message tells Keystone's words: %q", message)
			}
		}
	}
	a := s.do(t, "GET", "/v1/"+project+"/things", "keystone-down", "")
	wantFault(t, a, 503, "serviceUnavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
}

func TestAnotherProjectInThePathIsABadRequestForEverybody(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, token := range []string{"member", "reader", "admin"} {
		a := s.do(t, "GET", "/v1/other/things", token, "")
		if m := wantFault(t, a, 400, "badRequest"); !strings.Contains(m, `"other"`) || strings.Contains(m, project) {
			t.Errorf("message %q", m)
		}
	}
}

func TestAReaderMayNotWrite(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	a := s.do(t, "POST", "/v1/"+project+"/things", "reader", `{"thing": {}}`)
	if m := wantFault(t, a, 403, "forbidden"); !strings.Contains(m, "plan:create") {
		t.Errorf("message %q", m)
	}
	if a := s.do(t, "GET", "/v1/"+project+"/things/"+thing, "reader", ""); a.status != 200 {
		t.Errorf("a reader may not show: %s", a.text)
	}
}

func TestKindsOfErrorsOnTheWire(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	tests := []struct {
		kind       karbor.Kind
		status     int
		name       string
		retryAfter string
	}{
		{karbor.Internal, 500, "computeFault", ""},
		{karbor.Invalid, 400, "badRequest", ""},
		{karbor.Unauthorized, 401, "unauthorized", ""},
		{karbor.Forbidden, 403, "forbidden", ""},
		{karbor.NotFound, 404, "itemNotFound", ""},
		{karbor.Conflict, 409, "conflictingRequest", ""},
		{karbor.OverLimit, 413, "overLimit", "0"},
		{karbor.TooMany, 429, "overLimit", "1"},
		{karbor.FailedDependency, 424, "failedDependency", ""},
		{karbor.NotImplemented, 501, "notImplemented", ""},
		{karbor.Unavailable, 503, "serviceUnavailable", "5"},
	}
	for _, tt := range tests {
		a := s.do(t, "GET", fmt.Sprintf("/v1/%s/faults/%d", project, tt.kind), "member", "")
		m := wantFault(t, a, tt.status, tt.name)
		if tt.kind != karbor.Internal && m != "the sentence" {
			t.Errorf("%s: message %q", tt.name, m)
		}
		if got := a.header.Get("Retry-After"); got != tt.retryAfter {
			t.Errorf("%s: Retry-After %q, want %q", tt.name, got, tt.retryAfter)
		}
	}
}

func TestAFaultOfOursIsLoggedOnceAndNotTold(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/faults/plain", "/faults/0", "/panic"} {
		s := serve(t, nil)
		a := s.do(t, "GET", "/v1/"+project+path, "member", "")
		m := wantFault(t, a, 500, "computeFault")
		id := a.header.Get("X-Openstack-Request-Id")
		if !strings.Contains(m, id) {
			t.Errorf("%s: the message does not name the request: %q", path, m)
		}
		if n := strings.Count(s.log.String(), "secret of ours"); n != 1 {
			t.Errorf("%s: the cause is logged %d times:\n%s", path, n, s.log)
		}
		if n := strings.Count(s.log.String(), `"request_id":"`+id); n != 2 {
			t.Errorf("%s: the id is in %d lines:\n%s", path, n, s.log)
		}
	}
}

func TestUnmatchedPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	base := "/v1/" + project
	for _, path := range []string{"/nothing", "/v2/", "/v1x"} {
		wantFault(t, s.do(t, "GET", path, "", ""), 404, "itemNotFound")
	}
	for _, path := range []string{base + "/nothing", base + "/things/", base + "//things", base + "/things/../things", base, "/v1//things"} {
		wantFault(t, s.do(t, "GET", path, "member", ""), 404, "itemNotFound")
	}
	a := s.do(t, "PUT", base+"/things", "member", "{}")
	wantFault(t, a, 405, "badMethod")
	if got := a.header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q", got)
	}
	wantFault(t, s.do(t, "POST", "/", "", "{}"), 405, "badMethod")
}

func TestARouteThatIsNewerThanTheRequestIsNotThere(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *api.Request) (any, error) { return nil, nil }
	s := serve(t, func(o *api.Options) {
		o.Routes = append(o.Routes,
			api.Route{Method: "PUT", Pattern: "/things/{id}", Rule: "plan:update", Since: api.CopyVersion, Handle: nothing},
			api.Route{Method: "POST", Pattern: "/things/check", Rule: "plan:create", Since: api.ControlVersion, Handle: nothing},
			api.Route{Method: "GET", Pattern: "/later/{id}", Rule: "plan:get", Since: api.CopyVersion, Handle: nothing},
			api.Route{Method: "POST", Pattern: "/later/{id}", Rule: "plan:create", Since: api.ControlVersion, Handle: nothing})
	})
	for _, tt := range []struct {
		method, path, version string
		status                int
		name, allow           string
	}{
		// The path takes other methods, as it did before there was the route.
		{"PUT", "/things/" + thing, "1.0", 405, "badMethod", "DELETE, GET, HEAD"},
		{"PATCH", "/things/" + thing, "1.0", 405, "badMethod", "DELETE, GET, HEAD"},
		{"PATCH", "/things/" + thing, "1.2", 405, "badMethod", "DELETE, GET, HEAD, PUT"},
		{"POST", "/things/check", "1.0", 405, "badMethod", "DELETE, GET, HEAD"},
		{"POST", "/things/check", "1.2", 405, "badMethod", "DELETE, GET, HEAD, PUT"},
		{"PUT", "/things/" + thing, "1.2", 200, "", ""},
		{"POST", "/things/check", "1.4", 200, "", ""},
		// It takes none.
		{"GET", "/later/" + thing, "1.1", 404, "itemNotFound", ""},
		{"PUT", "/later/" + thing, "1.1", 404, "itemNotFound", ""},
		{"POST", "/later/" + thing, "1.2", 405, "badMethod", "GET, HEAD"},
		// What is wrong with the version is said first.
		{"POST", "/later/" + thing, "1.99", 406, "notAcceptable", ""},
	} {
		a := s.do(t, tt.method, "/v1/"+project+tt.path, "admin", "", "OpenStack-API-Version: data-protect "+tt.version)
		if a.status != tt.status || tt.name != "" && a.body[tt.name] == nil || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s in %s: %d, Allow %q, %s", tt.method, tt.path, tt.version, a.status, a.header.Get("Allow"), a.text)
		}
	}
	m := wantFault(t, s.do(t, "GET", "/v1/"+project+"/later/"+thing, "member", ""), 404, "itemNotFound")
	if m != "The resource could not be found in version 1.0 of the API; it came with 1.2." {
		t.Errorf("message %q", m)
	}
}

func TestIDsMustBeUUIDs(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, id := range []string{"my-plan", "a%2Fb", "a%20b", thing + "x"} {
		a := s.do(t, "GET", "/v1/"+project+"/things/"+id, "member", "")
		if m := wantFault(t, a, 400, "badRequest"); !strings.Contains(m, "id") {
			t.Errorf("message %q", m)
		}
	}
	a := s.do(t, "GET", "/v1/"+project+"/things/"+strings.ToUpper(thing), "member", "")
	if a.body["id"] != thing {
		t.Errorf("got %s", a.text)
	}
}

func TestHeadAndEmptyAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	for _, method := range []string{"HEAD", "DELETE"} {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/v1/"+project+"/things/"+thing, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", "member")
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || len(body) != 0 {
			t.Errorf("%s: %d %q", method, resp.StatusCode, body)
		}
	}
}

func TestNewRefusesRoutesThatCanNotBeServed(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, *api.Request) (any, error) { return nil, nil }
	good := api.Route{Method: "GET", Pattern: "/x", Rule: "plan:get", Handle: handle}
	tests := map[string]func(*api.Options){
		"an unknown rule":   func(o *api.Options) { r := good; r.Rule = "plan:burn"; o.Routes = []api.Route{r} },
		"no handler":        func(o *api.Options) { r := good; r.Handle = nil; o.Routes = []api.Route{r} },
		"a bad schema":      func(o *api.Options) { r := good; r.Body = json.RawMessage(`{`); o.Routes = []api.Route{r} },
		"a route twice":     func(o *api.Options) { o.Routes = []api.Route{good, good} },
		"a bad public URL":  func(o *api.Options) { o.PublicURL = "karbor.example" },
		"no clock":          func(o *api.Options) { o.Now = nil },
		"no authentication": func(o *api.Options) { o.Authenticator = nil },
	}
	for name, change := range tests {
		o := api.Options{Authenticator: identities(), Policy: policy.New(), Logger: slog.New(slog.DiscardHandler), Now: time.Now}
		change(&o)
		if _, err := api.New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestVersionDocuments(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	want := map[string]any{
		"id": "v1.0", "status": "CURRENT", "min_version": "1.0", "max_version": "1.8",
		"links": []any{
			map[string]any{"rel": "self", "href": "http://karbor.example:8799/v1/"},
			map[string]any{"rel": "describedby", "href": "http://karbor.example:8799/v1/openapi.json"},
		},
	}
	a := s.do(t, "GET", "/", "", "")
	if d := cmp.Diff(map[string]any{"versions": []any{want}}, a.body); a.status != 300 || d != "" {
		t.Errorf("%d %s", a.status, d)
	}
	for _, path := range []string{"/v1", "/v1/"} {
		a := s.do(t, "GET", path, "", "")
		if d := cmp.Diff(map[string]any{"version": want}, a.body); a.status != 200 || d != "" {
			t.Errorf("%s: %d %s", path, a.status, d)
		}
	}
}
