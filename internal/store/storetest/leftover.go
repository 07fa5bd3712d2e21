package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	owned := func(want bool) {
		t.Helper()
		owners, err := s.LiveOwners(ctx)
		if err != nil || owners[id] != want || owners[a.Operation.CheckpointID] != want || owners[""] {
			t.Errorf("the ids in use are %v, %v; want the operation's: %t", owners, err, want)
		}
	}
	owned(true)
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
	owned(true) // what is given up is known, too
	must(t, s.RenewLeftovers(ctx, id, []byte("new")))
	due, err := s.DueLeftovers(ctx, time.Now().Add(time.Hour), 10)
	if err != nil || len(due) != len(left)-1 {
		t.Errorf("after the renewal %+v are due, %v", due, err)
	}
	for _, l := range due {
		must(t, s.RemoveLeftover(ctx, l, false))
	}
	owned(false)
}

// testLedger looks at the ledger as an operator does.
func testLedger(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var operations []string
	for range 3 {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		must(t, s.Accept(ctx, a))
		left := map[karbor.NodeKey]string{}
		for _, n := range a.Operation.Graph.Nodes() {
			must(t, s.SaveScratch(ctx, a.Operation.ID, n.Key(), map[string]string{"made": n.ID}))
			left[n.Key()] = "it is locked"
		}
		must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{LogStatus: karbor.LogError, Left: left}))
		operations = append(operations, a.Operation.ID)
	}
	list := func(limit int) (all []store.Leftover) {
		for last := (store.Leftover{}); ; last = all[len(all)-1] {
			page, err := s.Leftovers(ctx, last, limit)
			must(t, err)
			if all = append(all, page...); len(page) < limit {
				return all
			}
		}
	}
	all := list(100)
	if len(all) < 3 || len(all)%3 != 0 {
		t.Fatalf("the ledger holds %+v", all)
	}
	for limit := 1; limit < 4; limit++ {
		if diff := cmp.Diff(all, list(limit)); diff != "" {
			t.Errorf("by %d (-at once +by pages):\n%s", limit, diff)
		}
	}
	each := int64(len(all) / 3)
	if n, err := s.HastenLeftovers(ctx, operations[0]); n != each || err != nil {
		t.Errorf("hastened are %d, %v; want %d", n, err, each)
	}
	due, err := s.DueLeftovers(ctx, time.Now().Add(-time.Hour), 100)
	if err != nil || int64(len(due)) != each || due[0].OperationID != operations[0] {
		t.Errorf("due are %+v, %v", due, err)
	}
	if n, err := s.ForgetLeftovers(ctx, operations[0]); n != 0 || err != nil {
		t.Errorf("forgotten are %d, %v", n, err)
	}
	due[0].GivenUp = true
	must(t, s.KeepLeftover(ctx, due[0], false))
	if n, err := s.HastenLeftovers(ctx, operations[0]); n != each-1 || err != nil {
		t.Errorf("hastened are %d, %v", n, err)
	}
	if n, err := s.ForgetLeftovers(ctx, operations[0]); n != 1 || err != nil {
		t.Errorf("forgotten are %d, %v", n, err)
	}
	var made map[string]string
	if there, err := s.Scratch(ctx, operations[0], due[0].Key, &made); there || err != nil {
		t.Errorf("its scratch record is there: %v, %v", made, err)
	}
	if left := list(100); len(left) != len(all)-1 {
		t.Errorf("left are %+v", left)
	}
}
