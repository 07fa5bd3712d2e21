//go:build databases

package store_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/store/storetest/servers"
)

// TestTheDatabasesClockDecidesWhatIsDue asks a process whose clock is a day ahead.
func TestTheDatabasesClockDecidesWhatIsDue(t *testing.T) {
	onEach(t, func(t *testing.T, server *servers.Server) {
		s, err := store.Open(t.Context(), empty(t, server), store.Options{
			Now: func() time.Time { return time.Now().Add(24 * time.Hour) }, Upgrade: true, Server: store.Server{Password: servers.Password},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		at, err := s.Time(t.Context())
		must(err)
		soon := at.Add(2 * time.Hour)
		p, g := storetest.NewPlan("project"), storetest.NewTrigger("project")
		g.Properties = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "* * * * *", StartTime: at.Add(-48 * time.Hour)}
		o := storetest.NewScheduledOperation(p, g.ID)
		must(s.CreatePlan(t.Context(), p, -1))
		must(s.CreateTrigger(t.Context(), g))
		must(s.CreateSchedule(t.Context(), o, karbor.OverlapSkip, nil))
		next := func(when string) {
			t.Helper()
			found, err := s.Schedules(t.Context(), []string{o.ID})
			must(err)
			if v := found[o.ID]; v.NextAt.IsZero() || v.NextAt.After(soon) {
				t.Errorf("%s the next is %s, it is %s", when, v.NextAt, at)
			}
		}
		next("when it is made")
		_, err = s.UpdateSchedule(t.Context(), "project", o.ID, nil, func(c *store.ScheduleChange) error { c.Name = "new"; return nil })
		must(err)
		next("when it is changed")
		_, err = s.UpdateTrigger(t.Context(), "project", g.ID, o.UserID, func(g *karbor.Trigger) error {
			g.Properties.Pattern = "*/2 * * * *"
			return nil
		})
		must(err)
		next("with another pattern")
		skipped, err := s.SkipNext(t.Context(), "project", o.ID, "")
		must(err)
		if skipped.EndedAt.After(soon) {
			t.Errorf("it was skipped at %s", skipped.EndedAt)
		}
		next("after one was skipped")
		run, err := s.RunNow(t.Context(), "project", o.ID)
		must(err)
		if run.ExpectedAt.After(soon) {
			t.Errorf("the run that was asked for is of %s", run.ExpectedAt)
		}
	})
}
