package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api/health"
)

func board(checks ...health.Check) *health.Board {
	return health.New(health.Options{Checks: checks, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
}

func good(context.Context) error { return nil }

func bad(context.Context) error {
	return karbor.Transientf("it does not answer on its port")
}

func TestTheWholeIsAsItsParts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		checks []health.Check
		want   string
		status int
	}{
		"nothing to check":          {nil, "ok", 200},
		"all well":                  {[]health.Check{{Name: "database", Essential: true, Run: good}, {Name: "Keystone", Run: good}}, "ok", 200},
		"a part is down":            {[]health.Check{{Name: "database", Essential: true, Run: good}, {Name: "Keystone", Run: bad}}, "degraded", 200},
		"the essential is down":     {[]health.Check{{Name: "Keystone", Run: bad}, {Name: "database", Essential: true, Run: bad}}, "failed", 503},
		"both, the other way round": {[]health.Check{{Name: "database", Essential: true, Run: bad}, {Name: "Keystone", Run: bad}}, "failed", 503},
	} {
		b := board(tt.checks...)
		if got := b.Report(t.Context()); got.Status != tt.want || len(got.Checks) != len(tt.checks) {
			t.Errorf("%s: %+v", name, got)
		}
		for target, body := range map[string]string{"/healthcheck": "", "/healthcheck?detailed=1": tt.want} {
			w := httptest.NewRecorder()
			b.Serve(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil), true)
			if body == "" {
				body = map[bool]string{true: "OK", false: "UNAVAILABLE"}[tt.status == 200]
				if w.Body.String() != body {
					t.Errorf("%s: plain %q", name, w.Body)
				}
			}
			if w.Code != tt.status || !strings.Contains(w.Body.String(), body) {
				t.Errorf("%s: %s answers %d %s", name, target, w.Code, w.Body)
			}
		}
	}
}

func TestDetailsAreForThoseWhoMaySeeThemAndTellNoCause(t *testing.T) {
	t.Parallel()
	b := board(health.Check{Name: "database", Essential: true, Run: func(context.Context) error {
		return &karbor.Error{Kind: karbor.Unavailable, Message: "the database does not answer", Cause: errors.New("password hunter2 refused")}
	}}, health.Check{Name: "other", Run: func(context.Context) error { return errors.New("hunter2 is wrong") }})
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/healthcheck", nil)
	r.Header.Set("Accept", "application/json")
	for _, details := range []bool{true, false} {
		w := httptest.NewRecorder()
		b.Serve(w, r, details)
		var got health.Report
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(w.Body.String(), "hunter2") || (len(got.Checks) == 2) != details || w.Code != 503 {
			t.Errorf("details %v: %d %s", details, w.Code, w.Body)
		}
		if details && got.Checks[0].Reason != "the database does not answer" {
			t.Errorf("reason %q", got.Checks[0].Reason)
		}
	}
}

func TestResultsAreRememberedShortly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		b := board(health.Check{Name: "database", Run: func(context.Context) error { runs.Add(1); return nil }})
		for range 10 {
			b.Report(t.Context())
		}
		time.Sleep(5 * time.Second)
		b.Report(t.Context())
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs, want 2", n)
		}
	})
}

func TestACheckThatHangsNeitherHoldsTheReportNorRunsTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		release := make(chan struct{})
		b := board(
			health.Check{Name: "database", Essential: true, Run: good},
			health.Check{Name: "bank of gold", Run: func(context.Context) error { runs.Add(1); <-release; return nil }},
		)
		for range 3 {
			start := time.Now()
			got := b.Report(t.Context())
			if took := time.Since(start); took > 2*time.Second || got.Status != "degraded" || got.Checks[1].Reason != "it does not answer" {
				t.Errorf("after %v: %+v", took, got)
			}
		}
		if err := b.Close(); err == nil {
			t.Error("Close says nothing of a check that hangs")
		}
		close(release)
		synctest.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs at the same time", n)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAProcessThatStopsSaysSo(t *testing.T) {
	t.Parallel()
	b := board(health.Check{Name: "database", Run: good})
	b.Stopping()
	w := httptest.NewRecorder()
	b.Serve(w, httptest.NewRequestWithContext(t.Context(), "GET", "/healthcheck?detailed=1", nil), true)
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"stopping"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestManyAskAtATimeForOneRun(t *testing.T) {
	t.Parallel()
	var runs atomic.Int64
	b := board(health.Check{Name: "database", Run: func(context.Context) error { runs.Add(1); return nil }})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { b.Report(t.Context()) })
	}
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}
