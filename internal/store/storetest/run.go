package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// hourly keeps a scheduled operation that runs every hour, in a project, from a time on
// that is far ahead of the store's clock.
func hourly(t *testing.T, s *store.Store, projectID string, change ...func(*karbor.Trigger)) karbor.ScheduledOperation {
	t.Helper()
	p, g := NewPlan(projectID), NewTrigger(projectID)
	g.Properties = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 * * * *", StartTime: ahead}
	for _, c := range change {
		c(&g)
	}
	must(t, s.CreatePlan(t.Context(), p, -1))
	must(t, s.CreateTrigger(t.Context(), g))
	o := NewScheduledOperation(p, g.ID)
	must(t, s.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &store.Lent{Sealed: []byte("sealed"), Kind: karbor.DelegationTrust}))
	return o
}

// ahead is the first time of hourly.
var ahead = time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)

func scheduleOf(t *testing.T, s *store.Store, id string) karbor.Schedule {
	t.Helper()
	found, err := s.Schedules(t.Context(), []string{id})
	must(t, err)
	return found[id]
}

// fire fires all that is due.
func fire(t *testing.T, s *store.Store, now time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		_, more, err = s.Fire(t.Context(), now)
		must(t, err)
	}
}

// runs gives the runs of a scheduled operation, the oldest first, as texts.
func runs(t *testing.T, s *store.Store, id string) []string {
	t.Helper()
	found, err := s.ScheduledRuns(t.Context(), id)
	must(t, err)
	out := []string{}
	for _, r := range found {
		out = append([]string{r.ExpectedAt.Format("15:04:05 ") + string(r.State)}, out...)
	}
	return out
}

func wantRuns(t *testing.T, s *store.Store, id string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, runs(t, s, id), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func lease(owner string, now time.Time) store.Lease {
	return store.Lease{Owner: owner, Now: now, Until: now.Add(2 * time.Minute)}
}

// claim claims what there is.
func claim(t *testing.T, s *store.Store, owner string, now time.Time) []store.ClaimedRun {
	t.Helper()
	found, _, err := s.ClaimRuns(t.Context(), lease(owner, now), 100)
	must(t, err)
	return found
}

// begin accepts the operation of a run.
func begin(t *testing.T, s *store.Store, r store.ClaimedRun) error {
	t.Helper()
	c := NewCheckpoint(r.ProjectID)
	a := Acceptance(karbor.Protect, c)
	a.Operation.ID, a.Log.ID, a.Run = r.ID, r.ID, &r.Claim
	a.Log.ScheduledOperationID = r.ScheduledOperationID
	return s.Accept(t.Context(), a)
}

// end ends the operation of a run.
func end(t *testing.T, s *store.Store, id string, status karbor.CheckpointStatus, info string) {
	t.Helper()
	must(t, s.EndOperation(t.Context(), id, store.Outcome{CheckpointStatus: status, LogStatus: karbor.LogStatus(status), ErrorInfo: info}))
}

func never(karbor.ScheduledOperationType, karbor.RunState) bool { return false }

func testFire(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	if v := scheduleOf(t, s, o.ID); !v.NextAt.Equal(ahead) || !v.DueAt.Equal(ahead) || v.DelegationState != karbor.DelegationGood {
		t.Errorf("the schedule is %+v", v)
	}
	next, err := s.NextDue(t.Context(), start)
	must(t, err)
	if !next.Equal(ahead) {
		t.Errorf("the next is due at %s", next)
	}
	fire(t, s, ahead.Add(-time.Microsecond))
	wantRuns(t, s, o.ID)
	for range 2 {
		fire(t, s, ahead)
		wantRuns(t, s, o.ID, "00:00:00 queued")
	}
	// A clock that goes back fires nothing again.
	fire(t, s, ahead.Add(-time.Hour))
	fire(t, s, ahead.Add(time.Hour))
	wantRuns(t, s, o.ID, "00:00:00 queued", "01:00:00 queued")
	if v := scheduleOf(t, s, o.ID); !v.NextAt.Equal(ahead.Add(2 * time.Hour)) {
		t.Errorf("the next is %s", v.NextAt)
	}
}

func testFireOnce(t *testing.T, s *store.Store) {
	const operations = 30
	var ids []string
	for i := range operations {
		ids = append(ids, hourly(t, s, fmt.Sprint("project", i%3)).ID)
	}
	var nodes sync.WaitGroup
	claims := make([][]store.ClaimedRun, 4)
	for n := range claims {
		nodes.Go(func() {
			if _, _, err := s.Fire(t.Context(), ahead); err != nil {
				t.Error(err)
			}
			found, _, err := s.ClaimRuns(t.Context(), lease(fmt.Sprint("node", n), ahead), 100)
			if err != nil {
				t.Error(err)
			}
			claims[n] = found
		})
	}
	nodes.Wait()
	seen := map[string]int{}
	for _, found := range claims {
		for _, r := range found {
			seen[r.ID]++
		}
	}
	for _, r := range claim(t, s, "last", ahead) {
		seen[r.ID]++
	}
	for _, id := range ids {
		wantRuns(t, s, id, "00:00:00 queued")
		if n := seen[karbor.RunID(id, ahead)]; n != 1 {
			t.Errorf("the run of %s was claimed %d times", id, n)
		}
	}
}

func testMissedTimes(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	// Nobody was there for eight hours; the window, 15 minutes, is still open for the last.
	fire(t, s, ahead.Add(8*time.Hour+10*time.Minute))
	wantRuns(t, s, o.ID, "03:00:00 dropped_out_of_window", "04:00:00 dropped_out_of_window", "05:00:00 dropped_out_of_window",
		"06:00:00 dropped_out_of_window", "07:00:00 dropped_out_of_window", "08:00:00 queued")
	// And then it could not begin in time.
	if got := claim(t, s, "node", ahead.Add(8*time.Hour+16*time.Minute)); len(got) != 0 {
		t.Errorf("claimed are %v", got)
	}
	wantRuns(t, s, o.ID, "04:00:00 dropped_out_of_window", "05:00:00 dropped_out_of_window",
		"06:00:00 dropped_out_of_window", "07:00:00 dropped_out_of_window", "08:00:00 dropped_out_of_window")
}

func testLongAbsence(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	fire(t, s, ahead.AddDate(1, 0, 0).Add(30*time.Minute))
	if got := runs(t, s, o.ID); len(got) != 5 || got[4] != "00:00:00 dropped_out_of_window" {
		t.Errorf("runs are %v", got)
	}
	if v := scheduleOf(t, s, o.ID); !v.NextAt.Equal(ahead.AddDate(1, 0, 0).Add(time.Hour)) {
		t.Errorf("the next is %s", v.NextAt)
	}
}

func testRunLife(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	fire(t, s, ahead)
	claimed := claim(t, s, "node", ahead)
	if len(claimed) != 1 {
		t.Fatalf("claimed are %v", claimed)
	}
	r := claimed[0]
	o.Enabled = true
	want := karbor.ScheduledOperation{ID: o.ID, ProjectID: o.ProjectID, UserID: o.UserID, Name: o.Name, OperationType: o.OperationType,
		TriggerID: o.TriggerID, Definition: o.Definition, Enabled: true}
	if diff := cmp.Diff(want, r.Operation); diff != "" || string(r.Delegation) != "sealed" || !r.DropAt.Equal(ahead.Add(15*time.Minute)) {
		t.Errorf("claimed is %+v:\n%s", r, diff)
	}
	must(t, begin(t, s, r))
	wantRuns(t, s, o.ID, "00:00:00 running")
	// A repeat changes nothing, and makes no second operation.
	if err := begin(t, s, r); !errors.Is(err, store.ErrRunLost) {
		t.Errorf("the second beginning: %v", err)
	}
	if got := claim(t, s, "node", ahead.Add(time.Hour)); len(got) != 0 {
		t.Errorf("it was claimed again: %v", got)
	}
	l, err := s.OperationLog(t.Context(), "project", r.ID)
	must(t, err)
	if l.ScheduledOperationID != o.ID {
		t.Errorf("the log is of %q", l.ScheduledOperationID)
	}
	finish := func(after func(karbor.ScheduledOperationType, karbor.RunState) bool) []store.ClaimedRun {
		found, _, err := s.FinishRuns(t.Context(), lease("node", ahead), 10, after)
		must(t, err)
		return found
	}
	finish(never)
	wantRuns(t, s, o.ID, "00:00:00 running")
	end(t, s, r.ID, karbor.CheckpointAvailable, "")
	more := finish(func(ty karbor.ScheduledOperationType, _ karbor.RunState) bool { return ty == karbor.ScheduledRetention })
	if len(more) != 1 || more[0].CheckpointID == "" {
		t.Fatalf("claimed for more are %v", more)
	}
	if again := finish(never); len(again) != 0 {
		t.Errorf("claimed twice: %v", again)
	}
	must(t, s.EndRun(t.Context(), more[0].Claim, o.ID, karbor.RunSuccess, "one is deleted", ahead.Add(time.Minute)))
	found, err := s.ScheduledRuns(t.Context(), o.ID)
	must(t, err)
	if len(found) != 1 || found[0].State != karbor.RunSuccess || found[0].Reason != "one is deleted" || found[0].CheckpointID != more[0].CheckpointID {
		t.Errorf("the log has %+v", found)
	}
}

func testFailedRun(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	fire(t, s, ahead)
	r := claim(t, s, "node", ahead)[0]
	must(t, begin(t, s, r))
	end(t, s, r.ID, karbor.CheckpointError, "the disk is broken")
	more, _, err := s.FinishRuns(t.Context(), lease("node", ahead), 10, func(_ karbor.ScheduledOperationType, s karbor.RunState) bool { return s == karbor.RunSuccess })
	must(t, err)
	found, err := s.ScheduledRuns(t.Context(), o.ID)
	must(t, err)
	if len(more) != 0 || found[0].State != karbor.RunError || found[0].Reason != "the disk is broken" || found[0].EndedAt.IsZero() {
		t.Errorf("more %v, log %+v", more, found)
	}
}

func testLostClaim(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	fire(t, s, ahead)
	first := claim(t, s, "a", ahead)[0]
	if got := claim(t, s, "b", ahead.Add(time.Minute)); len(got) != 0 {
		t.Errorf("b has claimed %v", got)
	}
	second := claim(t, s, "b", ahead.Add(2*time.Minute))
	if len(second) != 1 {
		t.Fatalf("b has not taken over: %v", second)
	}
	// What a, which was away, wants now counts for nothing.
	if err := begin(t, s, first); !errors.Is(err, store.ErrRunLost) {
		t.Errorf("a begins: %v", err)
	}
	must(t, s.EndRun(t.Context(), first.Claim, o.ID, karbor.RunError, "a gives up", ahead))
	must(t, s.PostponeRun(t.Context(), first.Claim, ahead.Add(time.Hour), "a waits"))
	if _, err := s.Operation(t.Context(), first.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("there is an operation: %v", err)
	}
	must(t, begin(t, s, second[0]))
	wantRuns(t, s, o.ID, "00:00:00 running")
}

func testReleased(t *testing.T, s *store.Store) {
	hourly(t, s, "project")
	fire(t, s, ahead)
	r := claim(t, s, "a", ahead)[0]
	must(t, s.ReleaseRuns(t.Context(), "a"))
	again := claim(t, s, "a", ahead)
	if len(again) != 1 {
		t.Fatalf("after the start anew: %v", again)
	}
	if err := begin(t, s, r); !errors.Is(err, store.ErrRunLost) {
		t.Errorf("the earlier process begins: %v", err)
	}
	must(t, s.PostponeRun(t.Context(), again[0].Claim, ahead.Add(time.Minute), "Keystone is away"))
	if got := claim(t, s, "a", ahead.Add(59*time.Second)); len(got) != 0 {
		t.Errorf("it does not wait: %v", got)
	}
	next, err := s.NextDue(t.Context(), ahead)
	must(t, err)
	if !next.Equal(ahead.Add(time.Minute)) {
		t.Errorf("the next is due at %s", next)
	}
	if got := claim(t, s, "a", ahead.Add(time.Minute)); len(got) != 1 || got[0].Reason != "Keystone is away" {
		t.Errorf("it does not go on: %v", got)
	}
}
