package storetest

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// testReturnWaits has operations of a scheduled operation go on after its run is over:
// what they act by is not given back under them.
func testReturnWaits(t *testing.T, s *store.Store) {
	o, c := hourly(t, s, "project"), available(t, s, "project")
	gone := Acceptance(karbor.Delete, c)
	gone.Log.ScheduledOperationID = o.ID
	must(t, s.Accept(t.Context(), gone))
	must(t, s.Accept(t.Context(), Acceptance(karbor.Delete, available(t, s, "project")))) // a stranger's
	must(t, s.DeleteScheduledOperation(t.Context(), "project", o.ID))
	returned := func(want int, when string) {
		t.Helper()
		found, err := s.ReturnedDelegations(t.Context(), ahead, 10)
		must(t, err)
		if len(found) != want {
			t.Errorf("%s, %d delegations are to be given back, want %d", when, len(found), want)
		}
	}
	returned(0, "while it deletes")
	key := gone.Operation.Graph.Nodes()[0].Key()
	must(t, s.EndOperation(t.Context(), gone.Operation.ID, store.Outcome{
		CheckpointStatus: karbor.CheckpointErrorDeleting, LogStatus: "error-deleting", Left: map[karbor.NodeKey]string{key: "in use"}}))
	returned(0, "while something is left in the cloud")
	left, err := s.Leftovers(t.Context(), store.Leftover{}, 10)
	must(t, err)
	if len(left) != 1 {
		t.Fatalf("left are %v", left)
	}
	must(t, s.RemoveLeftover(t.Context(), left[0], false))
	returned(1, "when all is over")
}

// testSkippedAndRetimed has a time be skipped, and then another trigger tell the times.
func testSkippedAndRetimed(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	at, err := s.Time(t.Context())
	must(t, err)
	skip := func(want time.Time) {
		t.Helper()
		run, err := s.SkipNext(t.Context(), "project", o.ID, "skipped by me")
		must(t, err)
		if !run.ExpectedAt.Equal(want) {
			t.Errorf("skipped is %s, want %s", run.ExpectedAt, want)
		}
	}
	retime := func(from time.Time) time.Time {
		t.Helper()
		_, err := s.UpdateTrigger(t.Context(), "project", o.TriggerID, o.UserID, func(g *karbor.Trigger) error {
			g.Properties.StartTime = from
			return nil
		})
		must(t, err)
		return scheduleOf(t, s, o.ID).NextAt
	}
	skip(ahead)
	if got := retime(at.Add(-time.Hour)); got.After(at.Add(2 * time.Hour)) {
		t.Errorf("with an earlier start the next is %s", got)
	}
	if got := retime(ahead.Add(-30 * time.Minute)); !got.Equal(ahead.Add(time.Hour)) {
		t.Errorf("with the old times the next is %s, and not the one behind the one that was skipped", got)
	}
	skip(ahead.Add(time.Hour))
	g := NewTrigger("project")
	g.Properties = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "30 * * * *", StartTime: at.Add(-time.Hour)}
	must(t, s.CreateTrigger(t.Context(), g))
	_, err = s.UpdateSchedule(t.Context(), "project", o.ID, nil, func(c *store.ScheduleChange) error { c.TriggerID = g.ID; return nil })
	must(t, err)
	if v := scheduleOf(t, s, o.ID); v.NextAt.After(at.Add(2 * time.Hour)) {
		t.Errorf("with another trigger the next is %s", v.NextAt)
	}
}
