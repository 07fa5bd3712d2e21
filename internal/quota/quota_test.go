package quota_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/quota"
	"github.com/karbor/karbor/internal/store"
)

// fake is a store of one project.
type fake struct {
	quota.Store
	own    store.Limits
	sweeps int
	err    error
}

func (f *fake) Limits(_ context.Context, project string, configured store.Limits) (store.Limits, error) {
	if project == "" || f.own == nil {
		return configured, f.err
	}
	return f.own, f.err
}

func (f *fake) SetLimits(_ context.Context, _ string, l store.Limits) error {
	f.own = l
	return f.err
}

func (f *fake) Usages(context.Context, string) (map[store.QuotaResource]store.Usage, error) {
	return map[store.QuotaResource]store.Usage{store.QuotaPlans: {InUse: 3}, store.QuotaGigabytes: {InUse: 2, Reserved: 9}}, f.err
}

func (f *fake) SyncUsages(context.Context) ([]string, error) { return []string{"p1", "p2"}, f.err }

func (f *fake) SweepReservations(context.Context) (int, error) {
	f.sweeps++
	if f.sweeps == 1 {
		return 0, errors.New("busy")
	}
	return f.sweeps, nil
}

func open(f *fake) (*quota.Quotas, *strings.Builder) {
	var log strings.Builder
	return quota.New(quota.Options{Store: f, Configured: store.Limits{store.QuotaPlans: 50}, Logger: slog.New(slog.NewTextHandler(&log, nil))}), &log
}

func TestDetailHasEveryResource(t *testing.T) {
	q, _ := open(&fake{})
	got, err := q.Detail(t.Context(), "p")
	want := map[store.QuotaResource]quota.Entry{
		store.QuotaPlans: {Limit: 50, InUse: 3}, store.QuotaCheckpoints: {Limit: -1}, store.QuotaGigabytes: {Limit: -1, InUse: 2, Reserved: 9},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestSetGivesWhatHoldsNow(t *testing.T) {
	q, _ := open(&fake{})
	got, err := q.Set(t.Context(), "p", store.Limits{store.QuotaPlans: 7})
	if err != nil || got.Of(store.QuotaPlans) != 7 {
		t.Error(got, err)
	}
	if d, err := q.Defaults(t.Context()); err != nil || d.Of(store.QuotaPlans) != 50 {
		t.Error(d, err)
	}
}

func TestFailuresOfTheStoreAreTold(t *testing.T) {
	q, _ := open(&fake{err: errors.New("no")})
	_, detail := q.Detail(t.Context(), "p")
	_, set := q.Set(t.Context(), "p", nil)
	for _, err := range []error{detail, set, q.Sync(t.Context())} {
		if err == nil {
			t.Error("a failure is lost")
		}
	}
}

func TestSyncNamesTheProjectsThatWereWrong(t *testing.T) {
	q, log := open(&fake{})
	if err := q.Sync(t.Context()); err != nil || !strings.Contains(log.String(), "project=p1") || !strings.Contains(log.String(), "project=p2") {
		t.Error(log, err)
	}
}

func TestRunSweepsUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		q, log := open(f)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
		defer cancel()
		if err := q.Run(ctx); err != nil {
			t.Error(err)
		}
		if f.sweeps != 2 || !strings.Contains(log.String(), "error=busy") || !strings.Contains(log.String(), "operations=2") {
			t.Errorf("%d sweeps: %s", f.sweeps, log)
		}
	})
}
