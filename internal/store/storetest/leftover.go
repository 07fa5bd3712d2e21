package storetest

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// testLeftovers has an operation leave something for each of its resources, and
// removes the one and gives up the other.
func testLeftovers(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := Acceptance(karbor.Protect, NewCheckpoint("project"))
	a.Operation.Delegation = []byte("sealed")
	must(t, s.Accept(ctx, a))
	id := a.Operation.ID
	left := map[karbor.NodeKey]string{}
	for _, n := range a.Operation.Graph.Nodes() {
		must(t, s.SaveScratch(ctx, id, n.Key(), map[string]string{"made": n.ID}))
		if len(left) < 2 {
			left[n.Key()] = "it is locked"
		}
	}
	must(t, s.EndOperation(ctx, id, store.Outcome{LogStatus: karbor.LogError, Left: left, Revoke: true}))
	found, err := s.LeftoversOf(ctx, a.Operation.ProviderID, a.Operation.CheckpointID)
	if err != nil || len(found) != len(left) || found[0].Reason != "it is locked" || found[0].ProjectID != "project" {
		t.Fatalf("the ledger holds %+v, %v", found, err)
	}
	if due, err := s.DueLeftovers(ctx, time.Now().Add(-time.Hour), 10); err != nil || len(due) != 0 {
		t.Errorf("at once %+v are due, %v", due, err)
	}
	for n, l := range found {
		op, err := s.Operation(ctx, id)
		if err != nil || string(op.Delegation) != "sealed" {
			t.Errorf("the delegation is %q, %v", op.Delegation, err)
		}
		var made map[string]string
		if there, err := s.Scratch(ctx, id, l.Key, &made); !there || err != nil {
			t.Errorf("the scratch record of %s is lost: %v", l.Key, err)
		}
		for try, want := range []bool{true, false} {
			if mine, err := s.ClaimLeftover(ctx, l); err != nil || mine != want {
				t.Errorf("claim %d gave %v, %v", try, mine, err)
			}
		}
		if l.GivenUp, l.Reason = true, "nobody may"; n > 0 {
			must(t, s.KeepLeftover(ctx, l, true))
		} else {
			must(t, s.RemoveLeftover(ctx, l, true))
		}
	}
	op, err := s.Operation(ctx, id)
	if err != nil || op.Delegation != nil {
		t.Errorf("the delegation stays: %q, %v", op.Delegation, err)
	}
	if due, err := s.Revocations(ctx, 10); err != nil || len(due) != 1 || string(due[0].Delegation) != "sealed" {
		t.Errorf("to revoke are %+v, %v", due, err)
	}
	must(t, s.RenewLeftovers(ctx, id, []byte("new")))
	due, err := s.DueLeftovers(ctx, time.Now().Add(time.Hour), 10)
	if err != nil || len(due) != len(left)-1 {
		t.Errorf("after the renewal %+v are due, %v", due, err)
	}
	for _, l := range due {
		must(t, s.RemoveLeftover(ctx, l, false))
	}
}
