package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/health"
	"github.com/karbor/karbor/internal/openstack"
)

// logged gives the lines of the log, decoded.
func (s served) logged(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(s.log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestOnlyTrustedProxiesTellWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	// httptest's requests come from 192.0.2.1.
	near, far := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.7/32")
	path := "/v1/" + project + "/things?limit=1"
	const plain = "http://karbor.example:8799/v1/"
	for _, tt := range []struct {
		name         string
		trusted      []netip.Prefix
		headers      []string
		href, client string
	}{
		{"no proxy", nil, []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil"}, plain, "192.0.2.1"},
		{"another proxy", []netip.Prefix{far}, []string{"Forwarded: for=203.0.113.9;proto=https;host=evil.example"}, plain, "192.0.2.1"},
		{"one proxy", []netip.Prefix{near}, []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: cloud.example", "X-Forwarded-Prefix: /data-protect/"},
			"https://cloud.example/data-protect/v1/", "203.0.113.9"},
		{"one proxy, Forwarded", []netip.Prefix{near}, []string{`Forwarded: for="[2001:db8::1]:4711";proto=https;host="cloud.example:443"`}, "https://cloud.example:443/v1/", "2001:db8::1"},
		{"one proxy, without an address", []netip.Prefix{near}, []string{"X-Forwarded-Proto: https"}, "https://karbor.example:8799/v1/", ""},
		{"what the client wrote before the proxy", []netip.Prefix{near}, []string{"X-Forwarded-For: 10.0.0.1, 203.0.113.9", "X-Forwarded-Proto: https"}, "https://karbor.example:8799/v1/", "203.0.113.9"},
		{"the same, Forwarded", []netip.Prefix{near}, []string{"Forwarded: for=10.0.0.1;host=evil.example, for=203.0.113.9;proto=https"}, "https://karbor.example:8799/v1/", "203.0.113.9"},
		{"two proxies", []netip.Prefix{near, far}, []string{"Forwarded: for=203.0.113.9;proto=https;host=cloud.example, for=198.51.100.7;proto=http;host=inner"}, "https://cloud.example/v1/", "203.0.113.9"},
		{"nonsense", []netip.Prefix{near}, []string{"X-Forwarded-Proto: javascript", "X-Forwarded-Host: evil.example/<script>", "X-Forwarded-For: _hidden", "X-Forwarded-Prefix: //x"}, plain, ""},
		{"nonsense, Forwarded", []netip.Prefix{near}, []string{`Forwarded: ;;=,"for=`}, plain, ""},
	} {
		s := serve(t, func(o *api.Options) { o.Proxies = tt.trusted })
		a := s.do(t, "GET", path, "member", "", tt.headers...)
		links, _ := a.body["things_links"].([]any)
		if len(links) != 1 {
			t.Fatalf("%s: no link in %s", tt.name, a.text)
		}
		if got := links[0].(map[string]any)["href"].(string); !strings.HasPrefix(got, tt.href+project) {
			t.Errorf("%s: the link is %s, want %s…", tt.name, got, tt.href)
		}
		client, _ := s.logged(t)[0]["client"].(string)
		if client != tt.client {
			t.Errorf("%s: the client is %q, want %q", tt.name, client, tt.client)
		}
	}
}

func TestSizesAreBoundInTheFaultsForm(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) { o.Limits = api.Limits{Body: 100, Header: 2000} })
	things := "/v1/" + project + "/things"
	large := `{"thing": {"name": "` + strings.Repeat("x", 100) + `"}}`
	a := s.do(t, "POST", things, "member", large)
	if m := wantFault(t, a, 413, "overLimit"); m != "The request body is larger than 100 bytes." || a.header.Get("Retry-After") != "" {
		t.Errorf("%q, %v", m, a.header)
	}
	for _, path := range []string{things, "/", "/healthcheck"} {
		a = s.do(t, "GET", path, "member", "", "X-Long: "+strings.Repeat("x", 2000))
		if m := wantFault(t, a, 431, "badRequest"); !strings.Contains(m, "2000") {
			t.Errorf("message %q", m)
		}
	}
	wantFault(t, s.do(t, "GET", things+"?name="+strings.Repeat("x", 2000), "member", ""), 431, "badRequest")
	if a := s.do(t, "POST", things, "member", `{"thing": {}}`); a.status != 200 {
		t.Errorf("a small one: %s", a.text)
	}
}

func TestABodyWithoutALengthIsBoundToo(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) { o.Limits = api.Limits{Body: 100} })
	server := httptest.NewServer(s.handler)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/"+project+"/things", io.LimitReader(endless{}, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "member")
	r.Header.Set("Content-Type", "application/json")
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// slowRoute waits until it is let go.
func slowRoute(entered, release chan struct{}) api.Route {
	return api.Route{Method: "GET", Pattern: "/slow", Rule: "plan:get", Handle: func(context.Context, *api.Request) (any, error) {
		entered <- struct{}{}
		<-release
		return nil, nil
	}}
}

func TestWhatIsTooMuchIsShed(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(o *api.Options) {
		o.Limits = api.Limits{InFlight: 2}
		o.Routes = append(o.Routes, slowRoute(entered, release))
	})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if a := s.do(t, "GET", "/v1/"+project+"/slow", "member", ""); a.status != 200 {
				t.Errorf("one that was taken: %s", a.text)
			}
		})
		<-entered
	}
	a := s.do(t, "GET", "/v1/"+project+"/things", "member", "")
	wantFault(t, a, 503, "serviceUnavailable")
	if got := a.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	if a := s.plain(t, "GET", "/healthcheck"); a.Code != 200 {
		t.Errorf("the health check is shed: %d", a.Code)
	}
	close(release)
	wg.Wait()
	if a := s.do(t, "GET", "/v1/"+project+"/things", "member", ""); a.status != 200 {
		t.Errorf("afterwards: %s", a.text)
	}
}

// crowd makes so many requests at a time, and counts the answers by their status.
func (s served) crowd(t *testing.T, n int, path string) map[int]int {
	t.Helper()
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			a := s.do(t, "GET", path, "member", "")
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	wg.Wait()
	return statuses
}

func TestRequestsWorkInTurns(t *testing.T) {
	t.Parallel()
	var working, most atomic.Int64
	s := serve(t, func(o *api.Options) {
		o.Limits, o.Now = api.Limits{Working: 3}, time.Now
		o.Routes = append(o.Routes, api.Route{
			Method: "GET", Pattern: "/work", Rule: "plan:get", Handle: func(context.Context, *api.Request) (any, error) {
				n := working.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				runtime.Gosched()
				working.Add(-1)
				return nil, nil
			},
		})
	})
	if got := s.crowd(t, 50, "/v1/"+project+"/work"); got[200] != 50 {
		t.Errorf("the answers are %v", got)
	}
	if most.Load() > 3 {
		t.Errorf("%d worked at a time", most.Load())
	}
}

func TestRequestThatWaitsForACloudHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	keystone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(asked) })
		<-answer
		w.WriteHeader(http.StatusNotFound)
	}))
	defer keystone.Close()
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: keystone.URL, Username: "karbor", Password: "x", Project: "service", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(o *api.Options) {
		o.Limits, o.Now = api.Limits{Working: 1}, time.Now
		o.Routes = append(o.Routes, api.Route{
			Method: "GET", Pattern: "/cloud", Rule: "plan:get", Handle: func(ctx context.Context, _ *api.Request) (any, error) {
				_, err := authority.Password(ctx, keystone.URL, openstack.PasswordAuth{Username: "u", Password: "p", ProjectID: project})
				return nil, err
			},
		})
	})
	var wg sync.WaitGroup
	wg.Go(func() { s.do(t, "GET", "/v1/"+project+"/cloud", "member", "") })
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatal("the cloud is not asked")
	}
	if a := s.do(t, "GET", "/v1/"+project+"/things", "member", ""); a.status != 200 {
		t.Errorf("meanwhile: %s", a.text)
	}
	close(answer)
	wg.Wait()
}

func (s served) plain(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func TestAProjectMakesSoManyRequestsASecond(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	s := serve(t, func(o *api.Options) {
		o.Limits = api.Limits{Rate: 0.5, Burst: 3}
		o.Now = func() time.Time { return clock }
		tokens := identities()
		tokens["other"] = &karbor.Identity{UserID: "u9", ProjectID: "other", Roles: []string{"member"}}
		o.Authenticator = tokens
	})
	get := func() answer { return s.do(t, "GET", "/v1/"+project+"/things", "member", "") }
	for range 3 {
		if a := get(); a.status != 200 {
			t.Fatalf("within the burst: %s", a.text)
		}
	}
	for range 2 {
		a := get()
		wantFault(t, a, 429, "overLimit")
		if got := a.header.Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After %q", got)
		}
	}
	if a := s.do(t, "GET", "/v1/other/things", "other", ""); a.status != 200 {
		t.Errorf("another project: %s", a.text)
	}
	clock = clock.Add(2 * time.Second)
	if a := get(); a.status != 200 {
		t.Errorf("after the time that was told: %s", a.text)
	}
	wantFault(t, get(), 429, "overLimit")
}

func TestAccessRulesBindATokenToTheirPaths(t *testing.T) {
	t.Parallel()
	rule := func(service, method, path string) karbor.AccessRule {
		return karbor.AccessRule{Service: service, Method: method, Path: path}
	}
	s := serve(t, func(o *api.Options) {
		o.Authenticator = tokens{
			"bound": {UserID: "u1", ProjectID: project, Roles: []string{"member"}, AccessRules: []karbor.AccessRule{
				rule("data-protect", "GET", "/v1/{project_id}/things/*"), rule("compute", "GET", "/v1/"+project+"/things"),
			}},
			"nothing":   {UserID: "u1", ProjectID: project, Roles: []string{"admin"}, AccessRules: []karbor.AccessRule{}},
			"handed on": {UserID: "u1", ProjectID: project, Roles: []string{"member"}, AccessRules: []karbor.AccessRule{}, FromService: true},
		}
	})
	for _, tt := range []struct {
		token, method, path string
		want                int
	}{
		{"bound", "GET", "/things/" + thing, 200},
		{"bound", "DELETE", "/things/" + thing, 403},
		{"bound", "GET", "/things", 403},
		{"bound", "GET", "/nothing", 403},
		{"nothing", "GET", "/things/" + thing, 403},
		{"handed on", "GET", "/things", 200},
	} {
		a := s.do(t, tt.method, "/v1/"+project+tt.path, tt.token, "")
		if a.status != tt.want {
			t.Errorf("%s %s %s: %d %s, want %d", tt.token, tt.method, tt.path, a.status, a.text, tt.want)
		}
	}
}

// services is an authenticator that knows service tokens.
type services struct{ tokens }

func (s services) ValidateFor(ctx context.Context, _, service karbor.Secret) (*karbor.Identity, error) {
	if service != "service" {
		return nil, karbor.Errorf(karbor.Unauthorized, "no")
	}
	return s.Validate(ctx, "member")
}

func TestAServiceTokenIsHeeded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) { o.Authenticator = services{identities()} })
	path := "/v1/" + project + "/things"
	wantFault(t, s.do(t, "GET", path, "ended", ""), 401, "unauthorized")
	wantFault(t, s.do(t, "GET", path, "member", "", "X-Service-Token: stolen"), 401, "unauthorized")
	if a := s.do(t, "GET", path, "ended", "", "X-Service-Token: service"); a.status != 200 {
		t.Errorf("got %s", a.text)
	}
}

func TestTheHealthCheckTellsDetailsToThoseWhoMaySeeThem(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) {
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
		o.HealthSources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		o.Health = health.New(health.Options{Now: o.Now, Logger: o.Logger, Checks: []health.Check{
			{Name: "Keystone", Run: func(context.Context) error { return karbor.Transientf("Keystone does not answer") }},
		}})
	})
	if w := s.plain(t, "GET", "/healthcheck"); w.Code != 200 || w.Body.String() != "OK" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for name, tt := range map[string]struct {
		header  string
		details bool
	}{
		"a stranger":                {"X-Nothing: 1", false},
		"a member":                  {"X-Auth-Token: member", false},
		"a bad token":               {"X-Auth-Token: stolen", false},
		"an administrator":          {"X-Auth-Token: admin", true},
		"a source":                  {"X-Forwarded-For: 203.0.113.4", true},
		"a source, says the client": {"X-Forwarded-For: 203.0.113.4, 198.51.100.1", false},
	} {
		w := s.plain(t, "GET", "/healthcheck?detailed=1", tt.header)
		if w.Code != 200 || strings.Contains(w.Body.String(), "Keystone") != tt.details || !strings.Contains(w.Body.String(), `"degraded"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestTheAccessLogCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) { o.NoAccessLog = true })
	s.do(t, "GET", "/v1/"+project+"/things", "member", "")
	if s.log.Len() > 0 {
		t.Errorf("log:\n%s", s.log)
	}
	s.do(t, "GET", "/v1/"+project+"/panic", "member", "")
	if lines := s.logged(t); len(lines) != 1 || lines[0]["level"] != "ERROR" {
		t.Errorf("log:\n%s", s.log)
	}
}
