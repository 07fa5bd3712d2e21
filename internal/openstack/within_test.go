package openstack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// TestAWaitThatHasTakenItsTimeIsOverForGood: who would try again would wait as long again.
func TestAWaitThatHasTakenItsTimeIsOverForGood(t *testing.T) {
	for name, test := range map[string]struct {
		inner, outer time.Duration
		check        func(ctx context.Context) (bool, error)
		lasting      bool
		told         []string
	}{
		"its limit":              {2 * time.Hour, 0, func(context.Context) (bool, error) { return false, nil }, true, []string{"the backup", "2h0m0s"}},
		"the state is told":      {time.Hour, 0, func(context.Context) (bool, error) { return false, openstack.Still("in state %q", "creating") }, true, []string{`still in state "creating"`}},
		"what failed is told":    {time.Minute, 0, func(context.Context) (bool, error) { return false, karbor.Transientf("no answer") }, true, []string{"the last look failed: no answer"}},
		"a failure that passed":  {time.Hour, 0, once(karbor.Transientf("no answer")), true, []string{"1h0m0s. Have"}},
		"in the midst of a look": {time.Minute, 0, func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, ctx.Err() }, true, []string{"the backup", "1m0s"}},
		"a deadline of others":   {time.Hour, time.Minute, func(context.Context) (bool, error) { return false, openstack.Still("in state %q", "creating") }, false, []string{"it took too long"}},
		"later than others'":     {time.Minute, time.Hour, func(context.Context) (bool, error) { return false, nil }, true, []string{"1m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				if test.outer > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), test.outer)
				}
				defer cancel()
				limited, over := openstack.Within(ctx, test.inner)
				defer over()
				err := openstack.Poll(limited, "the backup", time.Minute, test.check)
				if err == nil || karbor.IsTransient(err) == test.lasting {
					t.Fatalf("got %v; want a lasting error: %v", err, test.lasting)
				}
				for _, word := range test.told {
					if told := karbor.Sentence(err); !strings.Contains(told, word) {
						t.Errorf("the tenant reads %q, without %q", told, word)
					}
				}
				if test.lasting && karbor.KindOf(err) != karbor.Unavailable {
					t.Errorf("its kind is %v", karbor.KindOf(err))
				}
			})
		})
	}
}

// once gives a check that fails the first time, and then waits.
func once(failure error) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		err := failure
		failure = nil
		return false, err
	}
}

func TestALimitOfSeveralWaitsIsThatOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, over := openstack.Within(t.Context(), time.Hour)
		defer over()
		begin := time.Now()
		var err error
		for range 3 {
			stuck := openstack.Removal{State: func(context.Context) (string, error) { return "deleting", nil }}
			err = errors.Join(err, openstack.Waits{Longest: time.Minute, Timeout: 50 * time.Minute}.Remove(all, "the thing", stuck))
		}
		if took := time.Since(begin); took != time.Hour || karbor.IsTransient(err) {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestStillIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, looks := time.Now(), 0
		err := openstack.Poll(t.Context(), "it", time.Minute, func(context.Context) (bool, error) {
			looks++
			if time.Since(begin) > time.Hour {
				return true, nil
			}
			return false, fmt.Errorf("%s: %w", "it", openstack.Still("going"))
		})
		if err != nil || looks < 10 {
			t.Errorf("after %d looks: %v", looks, err)
		}
	})
}

// TestARequestThatTheLimitEndsIsNotTriedAgain has a limit be over while no Poll waits.
func TestARequestThatTheLimitEndsIsNotTriedAgain(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	ctx, cancel := openstack.Within(t.Context(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(r)
	if err == nil {
		t.Fatal(response.Body.Close())
	}
	if err := openstack.Explain(err, "listing"); karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "listing: it took more than") {
		t.Errorf("got %v", err)
	}
}

func TestALimitCanBeEndedBeforeItsTime(t *testing.T) {
	outer, over := openstack.Within(t.Context(), time.Hour)
	defer over()
	inner, over := openstack.Within(outer, time.Minute)
	defer over()
	looks := 0
	err := openstack.Poll(inner, "the backup", time.Millisecond, func(ctx context.Context) (bool, error) {
		if looks++; looks == 3 {
			openstack.LimitOf(ctx).End()
		}
		return false, openstack.Still("in state %q", "creating")
	})
	if told := karbor.Sentence(err); karbor.IsTransient(err) || looks != 3 || !strings.Contains(told, "more than 1m0s") || !strings.Contains(told, "creating") {
		t.Errorf("after %d looks the tenant reads %q", looks, told)
	}
	if outer.Err() != nil || openstack.LimitOf(t.Context()) != nil {
		t.Errorf("the limit around it: %v", outer.Err())
	}
}
