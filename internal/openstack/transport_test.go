package openstack

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
)

// answers serves a list of answers, the last again and again, and counts.
func answers(t *testing.T, list ...http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		list[min(i, len(list)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	return s, &n
}

// piped gives a client whose every connection leads to a server in the same bubble of time, so that
// nothing takes any time but what sleeps.
func piped(t *testing.T, handler http.HandlerFunc) *http.Client {
	t.Helper()
	l := &pipes{far: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: handler}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		served.Wait()
	})
	return &http.Client{Transport: &http.Transport{DialContext: l.dial}}
}

// pipes is a listener in memory.
type pipes struct {
	far    chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.far <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.far:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func testTransport(t *testing.T, o Options) *transport {
	t.Helper()
	o.Now = func() time.Time { return start }
	tr, err := newTransport(o)
	if err != nil {
		t.Fatal(err)
	}
	tr.firstPause = time.Millisecond
	t.Cleanup(tr.base.(*http.Transport).CloseIdleConnections)
	return tr
}

func TestHarmlessRequestsAreSentAgain(t *testing.T) {
	ok := status(200)
	for name, test := range map[string]struct {
		method string
		list   []http.HandlerFunc
		sent   int64
		want   int
	}{
		"GET after 502":                       {"GET", []http.HandlerFunc{status(502), ok}, 2, 200},
		"GET after 503":                       {"GET", []http.HandlerFunc{status(503), ok}, 2, 200},
		"GET after 504":                       {"GET", []http.HandlerFunc{status(504), ok}, 2, 200},
		"GET after 429 with Retry-After":      {"GET", []http.HandlerFunc{status(429, "Retry-After", "0"), ok}, 2, 200},
		"GET after a Retry-After in the past": {"GET", []http.HandlerFunc{status(503, "Retry-After", "Sun, 01 Mar 2026 11:00:00 GMT"), ok}, 2, 200},
		"GET with too long a Retry-After":     {"GET", []http.HandlerFunc{status(429, "Retry-After", "3600"), ok}, 1, 429},
		"GET after a broken connection":       {"GET", []http.HandlerFunc{hangUp, ok}, 2, 200},
		"GET that never succeeds":             {"GET", []http.HandlerFunc{status(503)}, attempts, 503},
		"GET after 500":                       {"GET", []http.HandlerFunc{status(500), ok}, 1, 500},
		"POST after 503":                      {"POST", []http.HandlerFunc{status(503), ok}, 1, 503},
		"DELETE after 429":                    {"DELETE", []http.HandlerFunc{status(429), ok}, 1, 429},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := answers(t, test.list...)
			req, _ := http.NewRequestWithContext(t.Context(), test.method, s.URL, nil)
			resp, err := testTransport(t, Options{}).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != test.want || n.Load() != test.sent {
				t.Errorf("got %d after %d requests, not %d after %d", resp.StatusCode, n.Load(), test.want, test.sent)
			}
		})
	}
}

func TestBrokenPostIsNotSentAgain(t *testing.T) {
	s, n := answers(t, hangUp)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("body"))
	if _, err := testTransport(t, Options{}).RoundTrip(req); err == nil || n.Load() != 1 {
		t.Errorf("got %v after %d requests", err, n.Load())
	}
}

func TestReplayedRequestHasItsWholeBody(t *testing.T) {
	var bodies []string
	keep := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(b))
			w.WriteHeader(code)
		}
	}
	s, _ := answers(t, keep(503), keep(200))
	req, _ := http.NewRequestWithContext(replayable(t.Context()), http.MethodPost, s.URL, strings.NewReader("whole"))
	resp, err := testTransport(t, Options{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !slices.Equal(bodies, []string{"whole", "whole"}) {
		t.Errorf("got %q", bodies)
	}
}

func TestCallWithoutAnswerTimesOut(t *testing.T) {
	release := make(chan struct{})
	s, _ := answers(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	_, err := testTransport(t, Options{Timeout: 20 * time.Millisecond}).RoundTrip(req)
	if !isTimeout(err) {
		t.Fatalf("got %v", err)
	}
	if e := explain(err, "asking"); karbor.KindOf(e) != karbor.Unavailable || !karbor.IsTransient(e) {
		t.Errorf("got %v", e)
	}
}

func TestAnswerThatStopsHalfwayTimesOut(t *testing.T) {
	for name, of := range map[string]func(context.Context) context.Context{
		"call": func(ctx context.Context) context.Context { return ctx }, "transfer": Transfer,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				way := piped(t, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte("half"))
					w.(http.Flusher).Flush()
					<-release
				})
				tr := testTransport(t, Options{HTTP: way, Timeout: time.Minute, IdleTimeout: time.Minute})
				req, _ := http.NewRequestWithContext(of(t.Context()), http.MethodGet, "http://cloud.example", nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = io.ReadAll(resp.Body); !isTimeout(err) {
					t.Errorf("got %v", err)
				}
				_ = resp.Body.Close()
			})
		})
	}
}

func TestTransferMayTakeLongerThanACall(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond) // longer than a call's time-out
		_, _ = io.Copy(w, r.Body)
	})
	tr := testTransport(t, Options{Timeout: time.Millisecond, IdleTimeout: time.Minute})
	req, _ := http.NewRequestWithContext(Transfer(t.Context()), http.MethodPut, s.URL, io.NopCloser(strings.NewReader("bytes")))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(got) != "bytes" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSlowSourceIsNotTheCloudsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := piped(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
		tr := testTransport(t, Options{HTTP: way, IdleTimeout: time.Minute})
		slow := readerFunc(func(p []byte) (int, error) {
			time.Sleep(time.Hour)
			return copy(p, "x"), io.EOF
		})
		req, _ := http.NewRequestWithContext(Transfer(t.Context()), http.MethodPut, "http://cloud.example", io.NopCloser(slow))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	})
}

func TestSlowReaderIsNotTheCloudsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := piped(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("bytes"))
			w.(http.Flusher).Flush()
		})
		tr := testTransport(t, Options{HTTP: way, IdleTimeout: time.Minute})
		req, _ := http.NewRequestWithContext(Transfer(t.Context()), http.MethodGet, "http://cloud.example", nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		time.Sleep(time.Hour)
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "bytes" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestEndlessAnswerOfACallIsCutOff(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for chunk := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	for name, ctx := range map[string]context.Context{"call": t.Context(), "refused transfer": Transfer(t.Context())} {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		resp, err := testTransport(t, Options{}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if !errors.Is(err, errTooLong) || n > maxAnswer+1<<20 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

func TestCancelledContextEndsARetryAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		status(503, "Retry-After", "30")(w, r)
		cancel()
	})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	resp, err := testTransport(t, Options{}).RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	} else if !errors.Is(err, context.Canceled) || karbor.IsTransient(explain(err, "asking")) {
		t.Errorf("got %v", err)
	}
}

func TestTokenDoesNotFollowARedirectElsewhere(t *testing.T) {
	foreign, asked := answers(t, status(200))
	f := newFakeCloud(t)
	a := f.authority()
	f.compute = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, foreign.URL, http.StatusFound) }
	if err := ask(t, a.Session(f.identity(a))); err == nil || asked.Load() != 0 {
		t.Errorf("got %v, and %d requests at the other host", err, asked.Load())
	}
}

func TestBadCertificatesAndAddressesAreRefused(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"no clock":             func(o *Options) { o.Now = nil },
		"no user":              func(o *Options) { o.Username = "" },
		"certificates":         func(o *Options) { o.CACert = []byte("nonsense") },
		"no address":           func(o *Options) { o.AuthURL = "" },
		"a path":               func(o *Options) { o.AuthURL = "/v3" },
		"other scheme":         func(o *Options) { o.AuthURL = "ftp://keystone/v3" },
		"password in address":  func(o *Options) { o.AuthURL = "http://a:b@keystone/v3" },
		"unknown interface":    func(o *Options) { o.Interface = "outer" },
		"query in the address": func(o *Options) { o.AuthURL = "http://keystone/v3?x" },
	} {
		o := Options{AuthURL: "http://keystone", Username: "karbor", Project: "service", Now: func() time.Time { return start }}
		set(&o)
		if _, err := NewAuthority(t.Context(), o); err == nil || karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]string{
		"http://k:5000":            "http://k:5000/v3",
		"http://k:5000/v3/":        "http://k:5000/v3",
		"https://k/identity/":      "https://k/identity/v3",
		"https://k/identity/v2.0/": "https://k/identity/v3",
	} {
		if got, err := keystoneURL(in); got != want || err != nil {
			t.Errorf("%s became %s, %v", in, got, err)
		}
	}
}
