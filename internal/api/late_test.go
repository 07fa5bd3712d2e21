package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/api"
)

// hanging gives a route whose work waits for a server that does not answer, and says how long it did.
func hanging(waited *time.Duration) api.Route {
	return api.Route{Method: "GET", Pattern: "/hanging", Rule: "plan:get", Handle: func(ctx context.Context, _ *api.Request) (any, error) {
		begun := time.Now()
		<-ctx.Done()
		*waited = time.Since(begun)
		return nil, fmt.Errorf("asking the server: %w", context.Cause(ctx))
	}}
}

func TestRequestThatTakesTooLongGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited time.Duration
		s := serve(t, func(o *api.Options) {
			o.Limits = api.Limits{Time: time.Minute, InFlight: 1}
			o.Routes = append(o.Routes, hanging(&waited))
		})
		a := s.do(t, "GET", "/v1/"+project+"/hanging", "member", "")
		if m := wantFault(t, a, 503, "serviceUnavailable"); !strings.Contains(m, "too long") {
			t.Errorf("message %q", m)
		}
		if waited != time.Minute {
			t.Errorf("it took %v", waited)
		}
		if a := s.do(t, "GET", "/v1/"+project+"/things", "member", ""); a.status != 200 {
			t.Errorf("its place is not free: %s", a.text)
		}
		if strings.Contains(s.log.String(), `"level":"ERROR"`) {
			t.Errorf("it is told as a fault of the service: %s", s.log)
		}
	})
}

func TestEventsOutlastTheTimeOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(o *api.Options) {
			o.Limits = api.Limits{Time: time.Second}
			o.Routes = append(o.Routes, api.Route{
				Method: "GET", Pattern: "/news", Rule: "plan:get", Handle: func(context.Context, *api.Request) (any, error) {
					return api.Events(func(ctx context.Context, send func(string, any) error) error {
						select {
						case <-time.After(time.Minute):
							return send("late", "news")
						case <-ctx.Done():
							return ctx.Err()
						}
					}), nil
				},
			})
		})
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/"+project+"/news", nil)
		r.Header.Set("X-Auth-Token", "member")
		a := httptest.NewRecorder()
		s.handler.ServeHTTP(a, r)
		if a.Code != 200 || !strings.Contains(a.Body.String(), "event: late") {
			t.Errorf("the answer is %d %q", a.Code, a.Body)
		}
	})
}

// silent is a keeper of requests that does not answer once one has been claimed.
type silent struct{ *keeper }

// DropReplay implements api.Replays.
func (silent) DropReplay(ctx context.Context, _ string, _ bool) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRequestWithAKeyThatTakesTooLongGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited time.Duration
		s := serve(t, func(o *api.Options) {
			o.Limits = api.Limits{Time: time.Minute}
			o.Replays, o.Owner = silent{newKeeper()}, "me"
			route := hanging(&waited)
			route.Method, route.Rule, route.Body = "POST", "plan:create", []byte(`{"type": "object"}`)
			o.Routes = append(o.Routes, route)
		})
		begun := time.Now()
		wantFault(t, s.do(t, "POST", "/v1/"+project+"/hanging", "member", "{}", "Idempotency-Key: k"), 503, "serviceUnavailable")
		if d := time.Since(begun); d > time.Minute+10*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
