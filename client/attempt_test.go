package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// creates are all methods that create something.
func creates(c *client.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"/plans": func(ctx context.Context) error { _, err := c.Plans.Create(ctx, client.PlanRequest{}); return err },
		"/providers/b/checkpoints": func(ctx context.Context) error {
			_, err := c.Checkpoints.Create(ctx, "b", client.CheckpointRequest{})
			return err
		},
		"/restores": func(ctx context.Context) error { _, err := c.Restores.Create(ctx, client.RestoreRequest{}); return err },
		"/verifications": func(ctx context.Context) error {
			_, err := c.Verifications.Create(ctx, client.VerificationRequest{})
			return err
		},
		"/providers/b/checkpoints/action": func(ctx context.Context) error {
			_, err := c.Copies.Create(ctx, "b", client.CopyRequest{})
			return err
		},
		"/triggers": func(ctx context.Context) error { _, err := c.Triggers.Create(ctx, client.TriggerRequest{}); return err },
		"/scheduled_operations": func(ctx context.Context) error {
			_, err := c.ScheduledOperations.Create(ctx, client.ScheduledOperationRequest{})
			return err
		},
	}
}

const anything = `{"plan":{},"checkpoint":{},"restore":{},"verification":{},"copy":{},"trigger_info":{},"scheduled_operation":{}}`

func TestCreateIsTriedAgainWithTheSameKey(t *testing.T) {
	var keys []string
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("OpenStack-API-Version", "data-protect 1.4")
		if r.Method != http.MethodPost {
			return
		}
		keys = append(keys, r.URL.Path+" "+r.Header.Get("Idempotency-Key"))
		if len(keys)%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, anything)
	})
	seen := map[string]bool{}
	for path, create := range creates(c) {
		keys = nil
		if err := create(t.Context()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if len(keys) != 3 || keys[0] != keys[1] || keys[1] != keys[2] || seen[keys[0]] || len(keys[0]) < len(path)+36 {
			t.Errorf("%s: keys %q", path, keys)
		}
		seen[keys[0]] = true
	}
	keys = nil
	if err := creates(c)["/plans"](client.WithIdempotencyKey(t.Context(), "mine")); err != nil || keys[0] != "/v1/p/plans mine" {
		t.Errorf("keys %q, error %v", keys, err)
	}
}

func TestCreateIsNotTriedAgainWhereKeysAreNotHeeded(t *testing.T) {
	posts, gets := 0, 0
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gets++
			_, _ = io.WriteString(w, `{"providers":[]}`)
			return
		}
		posts++
		w.WriteHeader(http.StatusGatewayTimeout)
	})
	_, err := c.Plans.Create(t.Context(), client.PlanRequest{})
	if karbor.KindOf(err) != karbor.Unavailable || posts != 1 || gets != 1 {
		t.Errorf("error %v after %d POST and %d GET", err, posts, gets)
	}
}

func TestRetryAfterIsHeededWithinReason(t *testing.T) {
	for asked, want := range map[string]time.Duration{"3": 3 * time.Second, "": 250 * time.Millisecond, "3600": 10 * time.Second} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			var waits []time.Duration
			c := transported(t, func(*http.Request) *http.Response {
				res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
				if asked != "" {
					res.Header.Set("Retry-After", asked)
				}
				if len(waits) > 0 {
					res.StatusCode, res.Body = http.StatusOK, io.NopCloser(strings.NewReader(anything))
				}
				return res
			}, &waits)
			_, err := c.Plans.Show(t.Context(), "1")
			if diff := cmp.Diff([]time.Duration{want}, waits); diff != "" || err != nil {
				t.Errorf("%d, Retry-After %q: error %v, waits (-want +got):\n%s", status, asked, err, diff)
			}
		}
	}
}

// answers is a transport that needs no network.
type answers func(*http.Request) *http.Response

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func transported(t *testing.T, answer answers, waits *[]time.Duration) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: "http://karbor.example/v1/p", Tokens: &tokens{}, HTTP: &http.Client{Transport: answer},
		Pause: func(_ context.Context, d time.Duration) error { *waits = append(*waits, d); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOlderServiceIsAskedInItsOwnMicroversion(t *testing.T) {
	var asked []string
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		version := r.Header.Get("OpenStack-API-Version")
		asked = append(asked, r.URL.Path+" "+version)
		switch {
		case r.URL.Path == "/v1/":
			if r.Header.Get("X-Auth-Token") != "" {
				t.Error("the version document is asked for with a token")
			}
			_, _ = io.WriteString(w, `{"version":{"id":"v1.0","min_version":"1.0","max_version":"1.1"}}`)
		case version != "data-protect 1.1":
			w.WriteHeader(http.StatusNotAcceptable)
		default:
			_, _ = io.WriteString(w, anything)
		}
	})
	for range 2 {
		if _, err := c.Plans.Show(t.Context(), "1"); err != nil {
			t.Error(err)
		}
	}
	want := []string{"/v1/p/plans/1 data-protect " + client.Microversion, "/v1/ ", "/v1/p/plans/1 data-protect 1.1", "/v1/p/plans/1 data-protect 1.1"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestTheNewestMicroversionIsTheServices(t *testing.T) {
	text, err := os.ReadFile("../internal/api/v1/testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Info struct{ Version string } }
	if err := json.Unmarshal(text, &document); err != nil || document.Info.Version != client.Microversion {
		t.Errorf("the service has %q, the client %q, error %v", document.Info.Version, client.Microversion, err)
	}
}

func TestMicroversionThatStaysRefusedIsAnError(t *testing.T) {
	for _, document := range []string{`{"version":{"max_version":"` + client.Microversion + `"}}`, `{}`, `x`} {
		c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/" {
				_, _ = io.WriteString(w, document)
				return
			}
			w.WriteHeader(http.StatusNotAcceptable)
		})
		if _, err := c.Plans.Show(t.Context(), "1"); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s: error %v", document, err)
		}
	}
}

func TestListOfOneProjectAsksForAllTenantsToo(t *testing.T) {
	var query string
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		_, _ = io.WriteString(w, `{"plans":[]}`)
	})
	for _, err := range c.Plans.List(t.Context(), client.ListOptions{Project: "x"}) {
		t.Error(err)
	}
	if query != "all_tenants=1&project_id=x" {
		t.Errorf("query %q", query)
	}
}
