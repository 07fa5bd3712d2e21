package api_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/policy"
)

// streaming serves events that go on until they are ended, at /things/events.
func streaming(t *testing.T, ids api.Authenticator) (*api.API, *httptest.Server) {
	t.Helper()
	a := streamer(t, ids)
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	t.Cleanup(a.EndStreams)
	return a, s
}

func streamer(t *testing.T, ids api.Authenticator) *api.API {
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
	return a
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

// changing is an authenticator whose answer depends on how often it was asked.
type changing struct {
	asked  int
	answer func(asked int) (*karbor.Identity, error)
}

func (c *changing) Validate(context.Context, karbor.Secret) (*karbor.Identity, error) {
	c.asked++
	return c.answer(c.asked)
}

func TestAStreamEndsWhenItsCallerIsRefused(t *testing.T) {
	t.Parallel()
	member := &karbor.Identity{UserID: "u1", ProjectID: project, Roles: []string{"member", "reader"}}
	admin := &karbor.Identity{UserID: "u1", ProjectID: project, Roles: []string{"admin", "member", "reader"}}
	revoked := karbor.Errorf(karbor.Unauthorized, "Keystone says no")
	const refused = "the token is not valid any more, or its user may not see this any more"
	for name, tt := range map[string]struct {
		first *karbor.Identity
		then  func(asked int) (*karbor.Identity, error)
		// after is when the stream ends.
		after  time.Duration
		reason string
	}{
		"its token is revoked": {member, func(int) (*karbor.Identity, error) { return nil, revoked }, time.Minute, refused},
		"its user has lost the role": {member, func(int) (*karbor.Identity, error) {
			return &karbor.Identity{UserID: "u1", ProjectID: project}, nil
		}, time.Minute, refused},
		"its user is no administrator any more": {admin, func(int) (*karbor.Identity, error) { return member, nil }, time.Minute, refused},
		"an access rule forbids it": {member, func(int) (*karbor.Identity, error) {
			return &karbor.Identity{UserID: "u1", ProjectID: project, Roles: member.Roles, AccessRules: []karbor.AccessRule{}}, nil
		}, time.Minute, refused},
		"Keystone was away for a while": {member, func(asked int) (*karbor.Identity, error) {
			switch {
			case asked < 5:
				return nil, karbor.Transientf("Keystone does not answer")
			case asked < 8:
				return member, nil
			}
			return nil, revoked
		}, 7 * time.Minute, refused},
		"all is well until the token expires": {
			&karbor.Identity{UserID: "u1", ProjectID: project, Roles: member.Roles, ExpiresAt: time.Date(2000, 1, 1, 1, 0, 30, 0, time.UTC)},
			func(int) (*karbor.Identity, error) { return member, nil }, time.Hour + 30*time.Second, "the token has expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now() // midnight, 1 January 2000, UTC
				ids := &changing{answer: func(asked int) (*karbor.Identity, error) {
					if asked == 1 {
						return tt.first, nil
					}
					return tt.then(asked)
				}}
				// A stream that is not ended goes on until its client leaves.
				ctx, leave := context.WithTimeout(t.Context(), 2*time.Hour)
				defer leave()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/"+project+"/things/events", nil)
				r.Header.Set("X-Auth-Token", "any")
				w := httptest.NewRecorder()
				streamer(t, ids).ServeHTTP(w, r)
				if took := time.Since(begun); took != tt.after {
					t.Errorf("it ends after %s, want %s", took, tt.after)
				}
				if want := "event: close\ndata: {\"reason\":\"" + tt.reason + "\"}\n\n"; !strings.HasSuffix(w.Body.String(), want) {
					t.Errorf("it ends with %q", w.Body)
				}
			})
		})
	}
}
