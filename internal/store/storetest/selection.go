package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// shelved keeps a checkpoint of a plan, some hours after the first ones of this suite,
// and gives its id.
func shelved(t *testing.T, s *store.Store, plan string, hours int, change func(*karbor.Checkpoint)) string {
	t.Helper()
	c := NewCheckpoint("project")
	c.Plan.ID, c.Status, c.CreatedAt = plan, karbor.CheckpointAvailable, start.Add(time.Duration(hours)*time.Hour)
	if change != nil {
		change(&c)
	}
	must(t, s.PutCheckpoint(t.Context(), c))
	return c.ID
}

func testToVerify(t *testing.T, s *store.Store) {
	old, middle, newest := shelved(t, s, "plan", 1, nil), shelved(t, s, "plan", 2, nil), shelved(t, s, "plan", 3, nil)
	other := shelved(t, s, "other plan", 4, nil)
	shelved(t, s, "plan", 5, func(c *karbor.Checkpoint) { c.Status = karbor.CheckpointError })
	shelved(t, s, "plan", 5, func(c *karbor.Checkpoint) { c.ProjectID = "another" })
	provider := NewCheckpoint("project").ProviderID
	choose := func(plan string, sel karbor.Selection, want ...string) {
		t.Helper()
		got, err := s.ToVerify(t.Context(), store.Verifiable{ProjectID: "project", ProviderID: provider, PlanID: plan, Selection: sel, Most: 3})
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q, %+v (-want +got):\n%s", plan, sel, diff)
		}
	}
	first := func(n int) karbor.Selection { return karbor.Selection{Order: karbor.NewestFirst, Checkpoints: n} }
	choose("plan", first(2), newest, middle)
	choose("plan", first(9), newest, middle, old)
	choose("", first(9), other, newest, middle)
	choose("", karbor.Selection{}, other)
	choose("plan", karbor.Selection{Share: 1}, newest)
	choose("plan", karbor.Selection{Share: 67}, newest, middle, old)
	choose("no plan", karbor.Selection{Share: 100})
	// One that was verified comes last, and so does one whose verification was begun.
	_, err := s.KeepCheckpoint(t.Context(), "project", provider, newest, func(k *karbor.Keeping) error {
		k.LastVerified = &karbor.LastVerified{At: start.Add(48 * time.Hour), Depth: "full", Result: karbor.VerificationSuccess}
		return nil
	})
	must(t, err)
	choose("plan", karbor.Selection{Share: 100}, middle, old, newest)
	c, err := s.Checkpoint(t.Context(), "project", provider, middle)
	must(t, err)
	a := Acceptance(karbor.Verify, c)
	a.Verification = &karbor.Verification{ID: a.Operation.ID, ProjectID: "project", ProviderID: provider, CheckpointID: middle,
		Status: karbor.VerificationVerifying, CreatedAt: start.Add(24 * time.Hour)}
	must(t, s.Accept(t.Context(), a))
	choose("plan", karbor.Selection{Share: 100}, old, middle, newest)
}

func testToDrill(t *testing.T, s *store.Store) {
	old, newest := shelved(t, s, "plan", 1, nil), shelved(t, s, "plan", 2, nil)
	provider := NewCheckpoint("project").ProviderID
	choose := func(sel karbor.Selection, want ...string) {
		t.Helper()
		got, err := s.ToDrill(t.Context(), store.Verifiable{ProjectID: "project", ProviderID: provider, PlanID: "plan", Selection: sel, Most: 3})
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", sel, diff)
		}
	}
	undrilled := karbor.Selection{Order: karbor.OldestDrilled, Share: 100}
	choose(karbor.Selection{}, newest)
	choose(undrilled, newest, old)
	c, err := s.Checkpoint(t.Context(), "project", provider, newest)
	must(t, err)
	a := Acceptance(karbor.DrillOperation, c)
	a.Drill = &karbor.Drill{ID: a.Operation.ID, ProjectID: "project", ProviderID: provider, CheckpointID: newest, Status: karbor.DrillRunning}
	a.DrillLimit = -1
	must(t, s.Accept(t.Context(), a))
	choose(undrilled, old, newest)
	choose(karbor.Selection{}, newest)
	choose(karbor.Selection{Share: 50}, old)
	choose(karbor.Selection{Order: karbor.NewestFirst, Share: 50}, newest)
	// One whose drill a run was refused was tried, too; what waits was not.
	leftOut(t, s, karbor.ScheduledVerify, ahead, newest, old)
	choose(undrilled, old, newest)
	leftOut(t, s, karbor.ScheduledDrill, ahead, old, newest)
	choose(undrilled, newest, old)
	leftOut(t, s, karbor.ScheduledDrill, ahead.Add(time.Hour), newest, old)
	choose(undrilled, old, newest)
}

// leftOut keeps a run of a new scheduled operation which was refused the first of two checkpoints,
// and waits for the other.
func leftOut(t *testing.T, s *store.Store, kind karbor.ScheduledOperationType, at time.Time, refused, waits string) {
	t.Helper()
	p, g := NewPlan("project"), NewTrigger("project")
	g.Properties = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 * * * *", StartTime: at}
	must(t, s.CreatePlan(t.Context(), p, -1))
	must(t, s.CreateTrigger(t.Context(), g))
	o := NewScheduledOperation(p, g.ID)
	o.OperationType = kind
	must(t, s.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &store.Lent{Sealed: []byte("sealed"), Kind: karbor.DelegationTrust}))
	fire(t, s, at)
	for _, r := range claim(t, s, "node", at) {
		if r.ScheduledOperationID == o.ID {
			must(t, s.PlanRun(t.Context(), r.Claim, []string{refused, waits}))
			must(t, s.LeaveOut(t.Context(), r.Claim, 0, karbor.RunSkipped, "it can't be drilled"))
		}
	}
}

// step accepts the operation at a position of a run.
func step(t *testing.T, s *store.Store, claim store.RunClaim, position int, id string) error {
	t.Helper()
	a := Acceptance(karbor.Protect, NewCheckpoint("project"))
	a.Operation.ID, a.Log.ID, a.Run, a.Step = id, id, &claim, &store.RunStep{Position: position, OperationID: id}
	return s.Accept(t.Context(), a)
}

func testRunOperations(t *testing.T, s *store.Store) {
	o := hourly(t, s, "project")
	fire(t, s, ahead)
	r := claim(t, s, "node", ahead)[0]
	must(t, s.PlanRun(t.Context(), r.Claim, []string{"a", "b", "c"}))
	must(t, s.PlanRun(t.Context(), r.Claim, []string{"d"}))
	must(t, s.LeaveOut(t.Context(), r.Claim, 1, karbor.RunSkipped, "it is gone"))
	must(t, step(t, s, r.Claim, 0, r.ID))
	for what, err := range map[string]error{
		"a beginning that is repeated": step(t, s, r.Claim, 0, r.ID),
		"a claim that is used up":      step(t, s, r.Claim, 2, karbor.RunOperationID(r.ID, 2)),
		"a plan without a claim":       s.PlanRun(t.Context(), r.Claim, nil),
		"leaving out without a claim":  s.LeaveOut(t.Context(), r.Claim, 2, karbor.RunSkipped, ""),
	} {
		if !errors.Is(err, store.ErrRunLost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	always := func(karbor.ScheduledOperationType, karbor.RunState) bool { return true }
	finish := func(now time.Time) []store.ClaimedRun {
		t.Helper()
		found, _, err := s.FinishRuns(t.Context(), lease("node", now), 10, always)
		must(t, err)
		return found
	}
	if got := finish(ahead); len(got) != 0 {
		t.Errorf("it goes on, and is over: %v", got)
	}
	end(t, s, r.ID, karbor.CheckpointError, "a byte is wrong")
	got := finish(ahead)
	if len(got) != 1 {
		t.Fatalf("over are %v", got)
	}
	// While some are left, the run is not over, and a later one has to wait.
	fire(t, s, ahead.Add(time.Hour))
	if later := claim(t, s, "node", ahead.Add(time.Hour)); len(later) != 0 {
		t.Errorf("the next run begins: %v", later)
	}
	last := karbor.RunOperationID(r.ID, 2)
	must(t, step(t, s, got[0].Claim, 2, last))
	if n, err := s.EndLostRuns(t.Context()); n != 0 || err != nil {
		t.Errorf("%d runs were lost, %v", n, err)
	}
	end(t, s, last, karbor.CheckpointAvailable, "")
	got = finish(ahead.Add(time.Hour))
	if len(got) != 1 {
		t.Fatalf("at last over are %v", got)
	}
	must(t, s.EndRun(t.Context(), got[0].Claim, o.ID, karbor.RunError, "one of three", ahead.Add(time.Hour)))
	found, err := s.ScheduledRuns(t.Context(), o.ID)
	must(t, err)
	want := []karbor.RunOperation{
		{Position: 0, CheckpointID: "a", OperationID: r.ID, State: karbor.RunError, Reason: "a byte is wrong"},
		{Position: 1, CheckpointID: "b", State: karbor.RunSkipped, Reason: "it is gone"},
		{Position: 2, CheckpointID: "c", OperationID: last, State: karbor.RunSuccess},
	}
	if diff := cmp.Diff(want, found[len(found)-1].Operations); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}
