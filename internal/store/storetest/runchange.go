package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testOverlap(t *testing.T, s *store.Store) {
	skip, queue := hourly(t, s, "project"), hourly(t, s, "project")
	_, err := s.UpdateSchedule(t.Context(), "project", queue.ID, nil, func(c *store.ScheduleChange) error {
		c.Overlap = karbor.OverlapQueue
		return nil
	})
	must(t, err)
	fire(t, s, ahead)
	for _, r := range claim(t, s, "node", ahead) {
		must(t, begin(t, s, r))
	}
	for h := 1; h <= 2; h++ {
		at := ahead.Add(time.Duration(h) * time.Hour)
		fire(t, s, at)
		if got := claim(t, s, "node", at.Add(time.Minute)); len(got) != 0 {
			t.Errorf("claimed are %v", got)
		}
	}
	wantRuns(t, s, skip.ID, "00:00:00 running", "01:00:00 skipped", "02:00:00 skipped")
	wantRuns(t, s, queue.ID, "00:00:00 running", "01:00:00 queued", "02:00:00 skipped")
	end(t, s, karbor.RunID(queue.ID, ahead), karbor.CheckpointAvailable, "")
	later := ahead.Add(2*time.Hour + 30*time.Minute)
	_, _, err = s.FinishRuns(t.Context(), lease("node", later), 10, never)
	must(t, err)
	got := claim(t, s, "node", later)
	if len(got) != 1 || !got[0].ExpectedAt.Equal(ahead.Add(time.Hour)) {
		t.Errorf("claimed are %v", got)
	}
}

func testFairTurns(t *testing.T, s *store.Store) {
	for range 8 {
		hourly(t, s, "greedy")
	}
	for range 2 {
		hourly(t, s, "modest")
	}
	fire(t, s, ahead)
	first, _, err := s.ClaimRuns(t.Context(), lease("node", ahead), 4)
	must(t, err)
	count := map[string]int{}
	for _, r := range first {
		count[r.ProjectID]++
	}
	if count["modest"] != 2 || count["greedy"] != 2 {
		t.Errorf("of the first four places the projects have %v", count)
	}
}

func testScheduleChanges(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	change := func(f func(*store.ScheduleChange)) karbor.Schedule {
		t.Helper()
		_, err := s.UpdateSchedule(t.Context(), "project", o.ID, nil, func(c *store.ScheduleChange) error { f(c); return nil })
		must(t, err)
		return scheduleOf(t, s, o.ID)
	}
	pause := ahead.Add(90 * time.Minute)
	if v := change(func(c *store.ScheduleChange) { c.PausedUntil = pause }); !v.NextAt.Equal(ahead.Add(2*time.Hour)) || !v.PausedUntil.Equal(pause) {
		t.Errorf("paused it is %+v", v)
	}
	if v := change(func(c *store.ScheduleChange) { c.PausedUntil = time.Time{} }); !v.NextAt.Equal(ahead) {
		t.Errorf("resumed it is %+v", v)
	}
	if v := change(func(c *store.ScheduleChange) { c.Enabled = false }); !v.NextAt.IsZero() || !v.DueAt.IsZero() {
		t.Errorf("disabled it is %+v", v)
	}
	fire(t, s, ahead)
	wantRuns(t, s, o.ID)
	if v := change(func(c *store.ScheduleChange) { c.Enabled = true }); !v.NextAt.Equal(ahead) {
		t.Errorf("enabled it is %+v", v)
	}
	run, err := s.SkipNext(t.Context(), "project", o.ID, "skipped by me")
	must(t, err)
	if !run.ExpectedAt.Equal(ahead) || run.State != karbor.RunSkipped {
		t.Errorf("skipped is %+v", run)
	}
	fire(t, s, ahead.Add(time.Hour))
	wantRuns(t, s, o.ID, "00:00:00 skipped", "01:00:00 queued")
	// A new pattern counts from the last run on.
	_, err = s.UpdateTrigger(t.Context(), "project", o.TriggerID, o.UserID, func(g *karbor.Trigger) error {
		g.Properties.Pattern = "30 * * * *"
		return nil
	})
	must(t, err)
	if v := scheduleOf(t, s, o.ID); !v.NextAt.Equal(ahead.Add(90 * time.Minute)) {
		t.Errorf("with the new pattern it is %+v", v)
	}
	_, err = s.UpdateSchedule(t.Context(), "other", o.ID, nil, func(*store.ScheduleChange) error { return nil })
	wantKind(t, err, karbor.NotFound)
	_, err = s.RunNow(t.Context(), "other", o.ID)
	wantKind(t, err, karbor.NotFound)
	_, err = s.SkipNext(t.Context(), "other", o.ID, "")
	wantKind(t, err, karbor.NotFound)
}

func testJitterAndRunNow(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project", func(g *karbor.Trigger) { g.Properties.Jitter = 10 * time.Minute })
	share := karbor.Share(o.ID, 10*time.Minute)
	if v := scheduleOf(t, s, o.ID); !v.NextAt.Equal(ahead) || !v.DueAt.Equal(ahead.Add(share)) {
		t.Errorf("it is due at %s, its share is %v", v.DueAt, share)
	}
	run, err := s.RunNow(t.Context(), "project", o.ID)
	must(t, err)
	_, err = s.RunNow(t.Context(), "project", o.ID)
	wantKind(t, err, karbor.Conflict)
	got := claim(t, s, "node", run.ExpectedAt.Add(time.Second))
	if len(got) != 1 || !got[0].Manual || got[0].ID != run.ID {
		t.Errorf("claimed are %v, want %v", got, run)
	}
}

func testDelegations(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	due, err := s.DueProbes(t.Context(), ahead, ahead.Add(time.Hour), 10)
	must(t, err)
	if len(due) != 1 || string(due[0].Sealed) != "sealed" {
		t.Fatalf("to be tried are %v", due)
	}
	again, err := s.DueProbes(t.Context(), ahead, ahead.Add(time.Hour), 10)
	must(t, err)
	if len(again) != 0 {
		t.Errorf("tried twice: %v", again)
	}
	must(t, s.NoteDelegation(t.Context(), due[0], karbor.DelegationBroken, "the user is gone", ahead))
	if v := scheduleOf(t, s, o.ID); v.DelegationState != karbor.DelegationBroken || v.DelegationReason != "the user is gone" || !v.ProbedAt.Equal(ahead) {
		t.Errorf("the schedule is %+v", v)
	}
	_, err = s.UpdateSchedule(t.Context(), "project", o.ID, &store.Lent{Sealed: []byte("new"), Kind: karbor.DelegationCredential},
		func(c *store.ScheduleChange) error { c.UserID = "other"; return nil })
	must(t, err)
	// What was found out about the old one says nothing of the new one.
	must(t, s.NoteDelegation(t.Context(), due[0], karbor.DelegationBroken, "late", ahead))
	if v := scheduleOf(t, s, o.ID); v.DelegationState != karbor.DelegationGood || v.DelegationKind != karbor.DelegationCredential {
		t.Errorf("the schedule is %+v", v)
	}
	returned := func() (out []string) {
		found, err := s.ReturnedDelegations(t.Context(), ahead.AddDate(1, 0, 0), 10)
		must(t, err)
		for _, d := range found {
			out = append(out, string(d.Sealed))
			if d.ScheduledOperationID != o.ID {
				t.Errorf("returned is %+v", d)
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"sealed"}, returned()); diff != "" {
		t.Error(diff)
	}
	fire(t, s, ahead)
	r := claim(t, s, "node", ahead)[0]
	must(t, begin(t, s, r))
	must(t, s.DeleteScheduledOperation(t.Context(), "project", o.ID))
	if got := returned(); len(got) != 0 {
		t.Errorf("given back while a run goes on: %v", got)
	}
	end(t, s, r.ID, karbor.CheckpointAvailable, "")
	_, _, err = s.FinishRuns(t.Context(), lease("node", ahead), 10, never)
	must(t, err)
	if got := returned(); len(got) != 2 {
		t.Errorf("to be given back are %v", got)
	}
	found, err := s.ReturnedDelegations(t.Context(), ahead.AddDate(1, 0, 0), 1)
	must(t, err)
	must(t, s.GaveBack(t.Context(), found[0].ID, ahead.AddDate(2, 0, 0)))
	if got := returned(); len(got) != 1 {
		t.Errorf("one is to be tried later: %v", got)
	}
	must(t, s.GaveBack(t.Context(), found[0].ID, time.Time{}))
	if next, err := s.NextDue(t.Context(), start); err != nil || !next.IsZero() {
		t.Errorf("a deleted one is due at %s, %v", next, err)
	}
}

func testServerTime(t *testing.T, s *store.Store) {
	at, err := s.Time(t.Context())
	must(t, err)
	if d := time.Since(at).Abs(); d > time.Minute {
		t.Errorf("the database's time is %s, %v away", at, d)
	}
}
