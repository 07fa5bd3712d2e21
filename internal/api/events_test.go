package api_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/policy"
)

// streaming serves events that go on until they are ended, at /things/events.
func streaming(t *testing.T, ids tokens) (*api.API, *httptest.Server) {
	t.Helper()
	a, err := api.New(api.Options{
		Routes: []api.Route{{Method: "GET", Pattern: "/things/events", Rule: "plan:get", Stream: true, Summary: "Follow", Answer: "",
			Handle: func(context.Context, *api.Request) (any, error) {
				return api.Events(func(ctx context.Context, send func(string, any) error) error {
					if err := send("begun", map[string]string{"a": "b\nc"}); err != nil {
						return err
					}
					<-ctx.Done()
					return ctx.Err()
				}), nil
			}}},
		Authenticator: ids, Policy: policy.New(), Logger: slog.New(slog.DiscardHandler), Now: time.Now, Limits: api.Limits{InFlight: 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	t.Cleanup(a.EndStreams)
	return a, s
}

// open begins a stream, and gives its lines when the first event has come.
func openStream(t *testing.T, s *httptest.Server) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/"+project+"/things/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "member")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	if res.StatusCode == http.StatusOK {
		for _, want := range []string{"event: begun", `data: {"a":"b\nc"}`, ""} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("got the line %q, %v; want %q", lines.Text(), lines.Err(), want)
			}
		}
	}
	return res, lines
}

func rest(lines *bufio.Scanner) string {
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
	}
	return strings.Join(all, "|")
}

func TestStreamsAreFewAndEndWithTheService(t *testing.T) {
	t.Parallel()
	a, s := streaming(t, identities())
	res, first := openStream(t, s)
	if res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
	_, second := openStream(t, s)
	// Eight requests in flight leave two places for streams.
	if res, _ := openStream(t, s); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one too many is %d", res.StatusCode)
	}
	a.EndStreams()
	for _, lines := range []*bufio.Scanner{first, second} {
		if got := rest(lines); got != `event: close|data: {"reason":"the service stops"}|` {
			t.Errorf("it ends with %q", got)
		}
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	ids := identities()
	ids["member"] = &karbor.Identity{UserID: "u1", ProjectID: project, Roles: []string{"member", "reader"}, ExpiresAt: time.Now().Add(300 * time.Millisecond)}
	_, s := streaming(t, ids)
	_, lines := openStream(t, s)
	if got := rest(lines); got != `event: close|data: {"reason":"the token has expired"}|` {
		t.Errorf("it ends with %q", got)
	}
}
