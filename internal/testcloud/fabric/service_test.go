package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// oneToken knows the token "good".
type oneToken struct{ Identity }

func (o oneToken) Authenticate(token string) (Identity, bool) { return o.Identity, token == "good" }

// bench is a fabric with one service of the style behind a listener.
type bench struct {
	*Fabric
	*Service
	url string
}

func newBench(t *testing.T, style Style, micro *Microversions) bench {
	t.Helper()
	f, err := Open(Options{Dir: t.TempDir(), Now: time.Now, Logger: slog.New(slog.DiscardHandler), Timing: Timing{Change: -1}})
	if err != nil {
		t.Fatal(err)
	}
	f.UseAuthenticator(oneToken{Identity{ProjectID: "p1", Roles: []string{"admin"}}})
	s := NewService(f, "nova", style, micro)
	mux := http.NewServeMux()
	mux.Handle("/testcloud/", NewControl(f))
	mux.Handle("/", s)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		f.Clock.Close()
		server.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{f, s, server.URL}
}

// do sends a request with the good token and gives status, header and body.
func (b bench) do(t *testing.T, method, path, body string, header ...string) (int, http.Header, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", "good")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(text), err
}

func TestErrorsHaveEachServicesOwnShape(t *testing.T) {
	for _, c := range []struct {
		style       Style
		path, token string
		status      int
		want        string
	}{
		{KeystoneStyle, "/thing", "good", 404, `{"error":{"code":404,"message":"No thing.","title":"Not Found"}}`},
		{ComputeStyle, "/thing", "good", 404, `{"itemNotFound":{"code":404,"message":"No thing."}}`},
		{NeutronStyle, "/thing", "good", 404, `{"NeutronError":{"detail":"","message":"No thing.","type":"HTTPNotFound"}}`},
		{GlanceStyle, "/thing", "good", 404, "<h1>404 Not Found</h1>\n  No thing.<br"},
		{ComputeStyle, "/nothing", "good", 404, "<h1>404 Not Found</h1>"},
		{NeutronStyle, "/nothing", "good", 404, `"type":"HTTPNotFound"`},
		{ComputeStyle, "/thing", "bad", 401, `{"error":{"code":401,`},
		{GlanceStyle, "/thing", "", 401, "<h1>401 Unauthorized</h1>"},
	} {
		b := newBench(t, c.style, nil)
		b.Handle("GET /thing", func(*Request) error { return NotFound("No thing.") })
		status, header, body, err := b.do(t, "GET", c.path, "", "X-Auth-Token", c.token)
		if err != nil || status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%+v: %d %s %v", c, status, body, err)
		}
		if !strings.HasPrefix(header.Get("X-Openstack-Request-Id"), "req-") {
			t.Errorf("%+v: request id %q", c, header.Get("X-Openstack-Request-Id"))
		}
		if got := header.Get("Www-Authenticate"); (c.status == 401) != (got != "") {
			t.Errorf("%+v: Www-Authenticate %q", c, got)
		}
	}
}

func TestFaultsChangeTheWantedRequestsOnly(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	b.Handle("POST /servers", func(r *Request) error { return r.JSON(202, map[string]int{}) })
	b.Handle("GET /servers", func(r *Request) error { return r.JSON(200, map[string]int{}) })
	status, _, body, err := b.do(t, "POST", "/testcloud/faults",
		`{"service":"nova","method":"POST","path":"^/servers$","project":"p1","status":503,"header":{"Retry-After":"7"},"after":1,"times":2,"delay":"1ms"}`)
	if err != nil || status != 201 {
		t.Fatal(status, body, err)
	}
	var got []int
	for range 5 {
		status, header, _, err := b.do(t, "POST", "/servers", "{}")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
		if (status == 503) != (header.Get("Retry-After") == "7") {
			t.Errorf("%d has the header %v", status, header)
		}
		if status, _, _, _ := b.do(t, "GET", "/servers", ""); status != 200 {
			t.Errorf("GET was disturbed: %d", status)
		}
	}
	if diff := cmp.Diff([]int{202, 503, 503, 202, 202}, got); diff != "" {
		t.Error(diff)
	}
	var list struct{ Faults []Fault }
	_, _, body, _ = b.do(t, "GET", "/testcloud/faults", "")
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Faults) != 1 || list.Faults[0].Acted != 2 || list.Faults[0].Matched != 5 {
		t.Error(body, err)
	}
	if status, _, _, _ := b.do(t, "DELETE", "/testcloud/faults/fault-1", ""); status != 204 || len(b.Faults.List()) != 0 {
		t.Errorf("removing the fault: %d", status)
	}
	if got := b.Requests().Counts()["nova POST /servers"]; got != 5 {
		t.Errorf("%d requests counted", got)
	}
}

func TestFaultsCloseLoseAndCut(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	var calls atomic.Int64
	b.Handle("POST /servers", func(r *Request) error { calls.Add(1); return r.JSON(202, "0123456789") })
	for _, c := range []struct {
		fault Fault
		calls int64
		body  string
	}{
		{Fault{Answer: AnswerClose, Times: 1}, 0, ""},
		{Fault{Answer: AnswerLose, Times: 1}, 1, ""},
		{Fault{Answer: AnswerCut, CutAfter: 4, Times: 1}, 1, `"012`},
	} {
		calls.Store(0)
		if _, err := b.Faults.Add(c.fault); err != nil {
			t.Fatal(err)
		}
		_, _, body, err := b.do(t, "POST", "/servers", "{}")
		if err == nil || calls.Load() != c.calls || body != c.body {
			t.Errorf("%s: %d calls, body %q, error %v", c.fault.Answer, calls.Load(), body, err)
		}
		b.Faults.Clear()
	}
}

func TestHangingRequestEndsWithItsFault(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	b.Handle("GET /servers", func(r *Request) error { return r.Empty(204) })
	id, err := b.Faults.Add(Fault{Answer: AnswerHang})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/servers", nil)
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("an answer came: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, _, err := b.do(t, "GET", "/servers", "")
		done <- err
	}()
	for b.Faults.List()[0].Acted < 2 {
		time.Sleep(time.Millisecond)
	}
	b.Faults.Remove(id)
	if err := <-done; err == nil {
		t.Error("the request that hung was answered")
	}
}

func TestFaultsDelayAndFailStateChanges(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	if _, err := b.Faults.Add(Fault{Service: "cinder", Transition: `volume\..*`, Fail: true, Times: 1, Delay: Duration(time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	var got []bool
	for _, name := range []string{"snapshot.create", "volume.create", "volume.create"} {
		done := make(chan bool)
		b.Transit("cinder", name, "p1", func(_ context.Context, failed bool) { done <- failed })
		got = append(got, <-done)
	}
	if diff := cmp.Diff([]bool{false, true, false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyAdministratorsControl(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	b.UseAuthenticator(oneToken{Identity{ProjectID: "p1", Roles: []string{"member"}}})
	if status, _, body, _ := b.do(t, "POST", "/testcloud/faults", `{"status":500}`); status != 403 {
		t.Error(status, body)
	}
}

func TestBadFaultsAreRefused(t *testing.T) {
	b := newBench(t, ComputeStyle, nil)
	for _, body := range []string{`{"path":"("}`, `{"status":7}`, `{"answer":"sing"}`, `{"delay":"soon"}`, `{`} {
		if status, _, text, _ := b.do(t, "POST", "/testcloud/faults", body); status != 400 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

func TestMicroversionIsChosenByHeader(t *testing.T) {
	b := newBench(t, ComputeStyle, &Microversions{Type: "compute", Old: "X-OpenStack-Nova-API-Version", Min: Version{2, 1}, Max: Version{2, 93}})
	b.Handle("GET /v", func(r *Request) error { return r.JSON(200, r.Version.String()) })
	for _, c := range []struct {
		header, value string
		status        int
		want          string
	}{
		{"Accept", "*/*", 200, "2.1"},
		{"OpenStack-API-Version", "compute 2.79", 200, "2.79"},
		{"OpenStack-API-Version", "volume 3.2, compute 2.5", 200, "2.5"},
		{"X-OpenStack-Nova-API-Version", "2.50", 200, "2.50"},
		{"OpenStack-API-Version", "compute latest", 200, "2.93"},
		{"OpenStack-API-Version", "compute 2.94", 406, "computeFault"},
		{"OpenStack-API-Version", "compute x", 400, "invalid format"},
	} {
		status, header, body, err := b.do(t, "GET", "/v", "", c.header, c.value)
		if err != nil || status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s %v", c.header, c.value, status, body, err)
		}
		if status == 200 && header.Get("OpenStack-API-Version") != "compute "+c.want {
			t.Errorf("%s: answered version %q", c.value, header.Get("OpenStack-API-Version"))
		}
	}
}

func TestQuotaIsTheDefaultUntilSet(t *testing.T) {
	q := NewQuotas(openStore(t, t.TempDir()))
	q.Set("p", "volumes", 2)
	if e := q.Check("p", "volumes", 1, 1); e != nil {
		t.Error(e)
	}
	e := q.Check("p", "volumes", 2, 1)
	if e == nil {
		t.Fatal("a third volume was allowed")
	}
	for _, c := range []struct {
		got  *Error
		want string
	}{{e.Cinder(), "413: VolumeLimitExceeded"}, {e.Nova(), "403: Quota exceeded for volumes"}, {e.Neutron(), "409: Quota exceeded for resources"}} {
		if !strings.HasPrefix(c.got.Error(), c.want) {
			t.Errorf("%q is not %q", c.got, c.want)
		}
	}
	if q.Check("other", "volumes", 2, 1) != nil || q.Limit("p", "snapshots") != q.Default("snapshots") {
		t.Error("a limit reached what it wasn't set for")
	}
	q.Set("p", "volumes", -1)
	if q.Check("p", "volumes", 1<<30, 1) != nil {
		t.Error("-1 is a limit")
	}
}
