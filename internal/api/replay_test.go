package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// counting serves a POST that answers with the number of times it ran.
func counting(t testing.TB, o *api.Options, handle func(n int) (any, error)) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	o.Routes = []api.Route{{Method: "POST", Pattern: "/things", Rule: "plan:create", Body: []byte(`{"type": "object"}`),
		Handle: func(context.Context, *api.Request) (any, error) {
			mu.Lock()
			n++
			mine := n
			mu.Unlock()
			return handle(mine)
		}}}
}

func TestTheSameKeyAndBodyGiveTheFirstAnswerAgain(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	s := serve(t, func(o *api.Options) {
		o.Now = func() time.Time { return clock }
		counting(t, o, func(n int) (any, error) { return map[string]int{"n": n}, nil })
	})
	post := func(token, body, key string) answer {
		return s.do(t, "POST", "/v1/"+project+"/things", token, body, "Idempotency-Key: "+key)
	}
	want := func(a answer, n float64) {
		t.Helper()
		if a.status != 200 || a.body["n"] != n {
			t.Errorf("got %d %s, want %v", a.status, a.text, n)
		}
	}
	want(post("member", `{"a": 1}`, "k1"), 1)
	want(post("member", `{"a": 1}`, "k1"), 1)
	want(post("member", `{"a": 1}`, "k2"), 2)
	want(post("admin", `{"a": 1}`, "k1"), 3) // another user's key is another key
	want(post("member", `{"a": 1}`, ""), 4)
	want(post("member", `{"a": 1}`, ""), 5)
	wantFault(t, post("member", `{"a": 2}`, "k1"), 400, "badRequest")
	wantFault(t, post("member", `{"a": 1}`, strings.Repeat("k", 256)), 400, "badRequest")
	wantFault(t, post("member", `{"a": 1}`, "k\xe4"), 400, "badRequest")
	wantFault(t, post("reader", `{"a": 1}`, "k1"), 403, "forbidden")
	clock = clock.Add(api.ReplayFor)
	want(post("member", `{"a": 1}`, "k1"), 6)
}

func TestAFailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *api.Options) {
		counting(t, o, func(n int) (any, error) {
			if n == 1 {
				return nil, karbor.Transientf("not now")
			}
			if n == 2 {
				panic(errors.New("boom"))
			}
			return map[string]int{"n": n}, nil
		})
	})
	for _, status := range []int{503, 500, 200, 200} {
		if a := s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: k"); a.status != status {
			t.Errorf("got %d %s, want %d", a.status, a.text, status)
		}
	}
}

func TestASecondRequestWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, func(o *api.Options) {
			o.Now = time.Now
			counting(t, o, func(n int) (any, error) {
				<-release
				return map[string]int{"n": n}, nil
			})
		})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if a := s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: k"); a.body["n"] != 1.0 {
					t.Errorf("got %d %s", a.status, a.text)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "/v1/"+project+"/things", strings.NewReader("{}"))
		r.Header.Set("X-Auth-Token", "member")
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != 503 {
			t.Errorf("one who gave up waiting got %d %s", w.Code, w.Body)
		}
		close(release)
		wg.Wait()
	})
}

func TestTheOldestAnswersAreForgottenWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		size, requests int
	}{
		"bytes": {1 << 20, 20},
		"count": {1, 10_005},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(o *api.Options) {
				o.Logger = slog.New(slog.DiscardHandler)
				counting(t, o, func(n int) (any, error) {
					return map[string]any{"n": n, "text": strings.Repeat("x", tt.size)}, nil
				})
			})
			post := func(key int) any {
				return s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: "+strconv.Itoa(key)).body["n"]
			}
			for key := range tt.requests {
				if got := post(key); got != float64(key+1) {
					t.Fatalf("request %d ran as %v", key, got)
				}
			}
			if got := post(tt.requests - 1); got != float64(tt.requests) {
				t.Errorf("the newest is forgotten: it ran as %v", got)
			}
			if got := post(0); got != float64(tt.requests+1) {
				t.Errorf("the oldest is remembered: %v", got)
			}
		})
	}
}
