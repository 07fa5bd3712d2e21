package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// keeper remembers requests as a store does.
type keeper struct {
	mu   sync.Mutex
	kept map[string]store.Replay
	// fails is what it answers to all calls.
	fails error
}

func newKeeper() *keeper { return &keeper{kept: map[string]store.Replay{}} }

func (k *keeper) ClaimReplay(_ context.Context, r store.Replay) (store.Replay, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found, ok := k.kept[r.Scope]; ok || k.fails != nil {
		return found, false, k.fails
	}
	k.kept[r.Scope] = r
	return r, true, nil
}

func (k *keeper) AnswerReplay(_ context.Context, scope string, answer []byte) error {
	return k.change(func() {
		r := k.kept[scope]
		r.Done, r.Answer = true, answer
		k.kept[scope] = r
	})
}

func (k *keeper) DropReplay(_ context.Context, scope string, marked bool) error {
	return k.change(func() {
		if marked || !k.kept[scope].Done {
			delete(k.kept, scope)
		}
	})
}

// mark has all that is remembered be marked as done, as what a request keeps does.
func (k *keeper) mark() {
	for scope, r := range k.kept {
		r.Done = true
		k.kept[scope] = r
	}
}

func (k *keeper) change(do func()) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails == nil {
		do()
	}
	return k.fails
}

// counting serves a POST that answers with the number of times it ran.
func counting(t testing.TB, o *api.Options, handle func(n int) (any, error)) {
	t.Helper()
	if o.Replays == nil {
		o.Replays, o.Owner = newKeeper(), "me"
	}
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
	s := serve(t, func(o *api.Options) {
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

func TestARequestThatFailedBehindWhatItKeptIsNotCarriedOutAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails error
		again int
	}{
		"a database that hangs":    {karbor.Transientf("reading it again: the time is over"), 409},
		"a fault of the service":   {errors.New("boom"), 409},
		"what the service refuses": {karbor.Errorf(karbor.OverLimit, "too many"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			kept := newKeeper()
			s := serve(t, func(o *api.Options) {
				o.Replays, o.Owner = kept, "me"
				counting(t, o, func(n int) (any, error) {
					if n > 1 {
						return map[string]int{"n": n}, nil
					}
					return nil, errors.Join(test.fails, kept.change(kept.mark))
				})
			})
			post := func() int {
				return s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: k").status
			}
			if first, second := post(), post(); first == 200 || second != test.again {
				t.Errorf("answered %d, then %d", first, second)
			}
		})
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

func TestRequestsOfOtherProcessesAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := newKeeper()
		s := serve(t, func(o *api.Options) {
			o.Now = time.Now
			o.Replays, o.Owner = kept, "me"
			counting(t, o, func(n int) (any, error) { return map[string]int{"n": n}, nil })
		})
		post := func() answer {
			return s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: k")
		}
		if a := post(); a.body["n"] != 1.0 {
			t.Fatalf("got %d %s", a.status, a.text)
		}
		set := func(owner string, done bool, answer []byte) {
			if err := kept.change(func() {
				for scope, r := range kept.kept {
					r.Owner, r.Done, r.Answer = owner, done, answer
					kept.kept[scope] = r
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		// Another process has it, and answers in time.
		set("other", true, nil)
		go func() {
			time.Sleep(2 * time.Second)
			set("other", true, []byte(`{"n": 7}`))
		}()
		if a := post(); a.body["n"] != 7.0 {
			t.Errorf("got %d %s, want the other's answer", a.status, a.text)
		}
		// It does not.
		set("other", false, nil)
		began := time.Now()
		if m := wantFault(t, post(), 409, "conflictingRequest"); !strings.Contains(m, "has not been answered") || time.Since(began) > time.Minute {
			t.Errorf("after %s: %q", time.Since(began), m)
		}
		// A process of this name died before it kept anything: nothing was done.
		set("me", false, nil)
		if a := post(); a.body["n"] != 2.0 {
			t.Errorf("got %d %s, want it done", a.status, a.text)
		}
		// It died when it had kept something: it must not be done again.
		set("me", true, nil)
		if m := wantFault(t, post(), 409, "conflictingRequest"); !strings.Contains(m, "was carried out") {
			t.Errorf("message %q", m)
		}
	})
}

func TestKeysAreRefusedWhereTheyCannotBeRemembered(t *testing.T) {
	t.Parallel()
	full := newKeeper()
	full.fails = karbor.Transientf("the database's disk is full")
	for want, replays := range map[int]api.Replays{501: nil, 503: full} {
		n := 0
		s := serve(t, func(o *api.Options) {
			counting(t, o, func(int) (any, error) { n++; return struct{}{}, nil })
			o.Replays = replays
		})
		if a := s.do(t, "POST", "/v1/"+project+"/things", "member", "{}", "Idempotency-Key: k"); a.status != want || n > 0 {
			t.Errorf("got %d %s, and it ran %d times; want %d", a.status, a.text, n, want)
		}
	}
}

func TestBodiesAreKeptUnderTheServiceKeyOnly(t *testing.T) {
	t.Parallel()
	kept := map[string]string{}
	body := `{"a": 1}`
	for _, key := range []string{"one", "other"} {
		k := newKeeper()
		s := serve(t, func(o *api.Options) {
			o.Replays, o.Owner, o.ReplayKey = k, "me", []byte(key)
			counting(t, o, func(n int) (any, error) { return map[string]int{"n": n}, nil })
		})
		s.do(t, "POST", "/v1/"+project+"/things", "member", body, "Idempotency-Key: k")
		for _, r := range k.kept {
			kept[key] = r.Body
		}
	}
	bare := sha256.Sum256([]byte(body))
	if kept["one"] == "" || kept["one"] == kept["other"] || kept["one"] == hex.EncodeToString(bare[:]) {
		t.Errorf("who has the database can try bodies out: %v", kept)
	}
}
