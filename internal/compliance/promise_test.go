package compliance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
)

func TestThePromiseIsTheLongestTimeBetweenTwoRuns(t *testing.T) {
	for pattern, want := range map[string]time.Duration{
		"0 3 * * *":         day,
		"0 3 * * 1-5":       3 * day,
		"0 9-17 * * 1-5":    64 * hour,
		"*/5 * * * *":       5 * time.Minute,
		"0 3 1 * *":         31 * day,
		"0 3 29 2 *":        4 * 366 * day, // roughly: compared below
		"0 0,1,2,3,4 * * *": 20 * hour,
	} {
		s := newSite(t)
		s.has(ours, karbor.VolumeType, "a")
		s.schedule(s.plan(ours, "p", vol("a")), pattern)
		p := s.row(s.report(ours), vol("a")).Promise
		if p == nil || p.Every != want && (want < 365*day || p.Every < 4*365*day || p.Every > want) || p.Allowed != p.Every+hour {
			t.Errorf("%s: %+v, want %s", pattern, p, want)
		}
	}
}

func TestOnlySchedulesThatRunAndMakeCheckpointsPromise(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	p := s.plan(ours, "p", vol("a"))
	s.schedule(p, "0 * * * *", func(o *karbor.ScheduledOperation) { o.Enabled = false })
	s.schedule(p, "0 * * * *", func(o *karbor.ScheduledOperation) { o.OperationType = "verify" })
	once := s.schedule(p, "0 * * * *")
	_, err := s.store.UpdateTrigger(t.Context(), ours, once.TriggerID, "", func(g *karbor.Trigger) error {
		g.Properties.EndTime = today.Add(90 * time.Minute)
		return nil
	})
	s.must(err)
	if p := s.row(s.report(ours), vol("a")).Promise; p != nil {
		t.Errorf("promised is %+v", p)
	}
	// The strictest of several plans counts.
	s.schedule(p, "0 3 * * *")
	other := s.schedule(s.plan(ours, "q", vol("a")), "0 */6 * * *")
	if p := s.row(s.report(ours), vol("a")).Promise; p == nil || p.Every != 6*hour || p.ScheduledOperationID != other.ID {
		t.Errorf("promised is %+v", p)
	}
}

func TestRunsThatDidNotHappenAreTold(t *testing.T) {
	s := newSite(t)
	p := s.plan(ours, "p", vol("a"))
	o := s.schedule(p, "0 * * * *")
	tell := func(within time.Duration) (out []string) {
		for _, u := range s.report(ours, func(q *compliance.Request) { q.UnmadeWithin = within }).Unmade {
			if u.Name != o.Name || u.PlanID != p.ID || u.Reason == "" {
				t.Errorf("a run is %+v", u)
			}
			out = append(out, fmt.Sprintf("%s %s", u.ExpectedAt.Format("15:04"), u.State))
		}
		return out
	}
	if got := tell(0); got != nil {
		t.Errorf("before anything is due: %v", got)
	}
	// Nobody was there from noon to 14:30, by the clock of the engine: two are over, one is not.
	if _, _, err := s.store.Fire(t.Context(), today.Add(150*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(tell(0)); got != "[13:00 dropped_out_of_window 12:00 dropped_out_of_window]" {
		t.Errorf("dropped are %v", got)
	}
}

func TestARunThatNobodyLookedAtIsOverdue(t *testing.T) {
	s := newSite(t)
	p := s.plan(ours, "p", vol("a"))
	s.schedule(p, "0 * * * *")
	r := compliance.New(compliance.Options{
		Store: s.store, Finders: s.finders, Protects: func(string, karbor.ResourceType) bool { return true },
		Now: func() time.Time { return time.Now().AddDate(1, 0, 0) },
	})
	report, err := r.Report(t.Context(), compliance.Request{Cloud: cloud(ours)})
	if err != nil || len(report.Unmade) != 1 || report.Unmade[0].State != compliance.Overdue || report.Unmade[0].ExpectedAt.IsZero() {
		t.Errorf("unmade are %+v, %v", report.Unmade, err)
	}
}
