package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/health"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/policy"
)

type nobody struct{}

func (nobody) Validate(context.Context, karbor.Secret) (*karbor.Identity, error) {
	return &karbor.Identity{UserID: "u", ProjectID: "p", Roles: []string{"member"}}, nil
}

// makeFront makes the server of a route that logs something.
func makeFront(t *testing.T, log io.Writer, edit func(*config.Config)) *front {
	t.Helper()
	o := Options{Config: config.Default(), Now: time.Now, Logger: slog.New(requestLog{slog.NewJSONHandler(log, nil)})}
	if edit != nil {
		edit(&o.Config)
	}
	route := api.Route{Method: "POST", Pattern: "/x", Rule: "plan:get", Body: json.RawMessage(`{}`), Handle: func(ctx context.Context, _ *api.Request) (any, error) {
		o.Logger.InfoContext(ctx, "working")
		o.Logger.With("part", "x").WithGroup("g").InfoContext(ctx, "deeper")
		return nil, nil
	}}
	f, err := openFront(o, api.Options{Routes: []api.Route{route}, Authenticator: nobody{}, Policy: policy.New()},
		[]health.Check{{Name: "database", Essential: true, Run: func(context.Context) error { return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// frontOf serves such a route, and gives its address.
func frontOf(t *testing.T, log io.Writer, edit func(*config.Config)) string {
	t.Helper()
	f := makeFront(t, log, edit)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(l) }()
	t.Cleanup(func() {
		if err := f.stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := receive(t, "the end of serving", served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func TestLinesOfARequestCarryItsID(t *testing.T) {
	var log bytes.Buffer
	address := frontOf(t, &log, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/p/x", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "t")
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	id := resp.Header.Get("X-Openstack-Request-Id")
	if resp.StatusCode != http.StatusOK || id == "" {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if n := strings.Count(log.String(), `"request_id":"`+id+`"`); n != 3 {
		t.Errorf("the id is in %d places, want once in each of three lines:\n%s", n, &log)
	}
}

func TestTheHealthCheckSaysThatTheProcessStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFront(t, io.Discard, func(c *config.Config) { c.API.ShutdownDelay = 30 * time.Second })
		get := func() int {
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, health.Path, nil))
			return w.Code
		}
		if got := get(); got != http.StatusOK {
			t.Errorf("before: %d", got)
		}
		begun, stopped := time.Now(), make(chan error, 1)
		go func() { stopped <- f.stop(context.Background()) }()
		time.Sleep(29 * time.Second)
		if got := get(); got != http.StatusServiceUnavailable || len(stopped) > 0 {
			t.Errorf("while it stops: %d", got)
		}
		if err := <-stopped; err != nil || time.Since(begun) != 30*time.Second {
			t.Errorf("it stops after %v: %v", time.Since(begun), err)
		}
	})
}

func TestASlowBodyIsToldSo(t *testing.T) {
	address := frontOf(t, io.Discard, func(c *config.Config) { c.API.Timeouts.Read = 200 * time.Millisecond })
	c, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST /v1/p/x HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(got), "408") || !strings.Contains(string(got), "did not come in time") {
		t.Errorf("got %q, %v", got, err)
	}
}

// patience bounds what a test waits for; it never decides what is right.
const patience = 30 * time.Second

// receive takes from a channel what must come.
func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing came in %v", what, patience)
	}
	return v
}

// client gives up when a test has waited long enough.
var client = &http.Client{Timeout: patience}
