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
	if due, err := s.DueLeftovers(ctx, time.Now().Add(-time.Hour), 10, 10); err != nil || len(due) != 0 {
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
		claimed, mine, err := s.ClaimLeftover(ctx, l, time.Hour)
		if err != nil || !mine || claimed.Tries != 1 {
			t.Errorf("the claim gave %+v, %v, %v", claimed, mine, err)
		}
		if _, mine, err := s.ClaimLeftover(ctx, l, time.Hour); err != nil || mine {
			t.Errorf("the next claim gave %v, %v", mine, err)
		}
		l = claimed
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
	due, err := s.DueLeftovers(ctx, time.Now().Add(time.Hour), 10, 10)
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
	due, err := s.DueLeftovers(ctx, time.Now().Add(-time.Hour), 100, 100)
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

// left makes an operation of a project that has left something of its resources in the cloud.
func left(t *testing.T, s *store.Store, project string) string {
	t.Helper()
	a := Acceptance(karbor.Protect, NewCheckpoint(project))
	must(t, s.Accept(t.Context(), a))
	stays := map[karbor.NodeKey]string{}
	for _, n := range a.Operation.Graph.Nodes() {
		stays[n.Key()] = "it is locked"
	}
	must(t, s.EndOperation(t.Context(), a.Operation.ID, store.Outcome{LogStatus: karbor.LogError, Left: stays}))
	return a.Operation.ID
}

// testLeftoverClaims has a leftover be one try's for as long as that lasts.
func testLeftoverClaims(t *testing.T, s *store.Store) {
	ctx := t.Context()
	id := left(t, s, "project")
	later := time.Now().Add(24 * time.Hour) // a process whose clock is ahead
	due := func() (own []store.Leftover) {
		t.Helper()
		found, err := s.DueLeftovers(ctx, later, 100, 1000)
		must(t, err)
		for _, l := range found {
			if l.OperationID == id {
				own = append(own, l)
			}
		}
		return own
	}
	all := due()
	first, mine, err := s.ClaimLeftover(ctx, all[0], time.Hour)
	if err != nil || !mine {
		t.Fatalf("the claim gave %v, %v", mine, err)
	}
	if n, err := s.HastenLeftovers(ctx, id); err != nil || n != int64(len(all)) {
		t.Errorf("hastened are %d, %v", n, err)
	}
	if now := due(); len(now) != len(all)-1 {
		t.Errorf("while one is tried, there are due %+v", now)
	}
	hold := func(l store.Leftover, lasts time.Duration, want bool) {
		t.Helper()
		if mine, err := s.HoldLeftover(ctx, l, lasts); err != nil || mine != want {
			t.Errorf("held is %v, %v", mine, err)
		}
	}
	hold(first, 0, true) // as if the time were over, as its process has died
	var again store.Leftover
	for _, l := range due() {
		if l.Key == first.Key {
			again = l
		}
	}
	second, mine, err := s.ClaimLeftover(ctx, again, time.Hour)
	if err != nil || !mine || second.Tries != 2 {
		t.Fatalf("the second claim gave %+v, %v, %v", second, mine, err)
	}
	hold(first, time.Hour, false)
	first.Reason, first.GivenUp = "late", true
	must(t, s.KeepLeftover(ctx, first, false))
	if now := due(); len(now) != len(all)-1 {
		t.Errorf("after the late try there are due %+v", now)
	}
	second.Reason = "still locked"
	must(t, s.KeepLeftover(ctx, second, false))
	now := due()
	if len(now) != len(all) {
		t.Errorf("after the try there are due %+v", now)
	}
	for _, l := range now {
		if l.Key == second.Key && l.Reason != second.Reason {
			t.Errorf("it is left as %q", l.Reason)
		}
	}
}

// testLeftoverTurns has no project's leftovers hide another's.
func testLeftoverTurns(t *testing.T, s *store.Store) {
	for _, project := range []string{"many", "many", "many", "few"} {
		left(t, s, project)
	}
	projects := func(ofProject, limit int) map[string]int {
		t.Helper()
		found, err := s.DueLeftovers(t.Context(), time.Now().Add(time.Hour), ofProject, limit)
		must(t, err)
		seen := map[string]int{}
		for _, l := range found {
			if l.ProjectID == "many" || l.ProjectID == "few" {
				seen[l.ProjectID]++
			}
		}
		return seen
	}
	if seen := projects(2, 1000); seen["many"] != 2 || seen["few"] != 1 && seen["few"] != 2 {
		t.Errorf("at most two of each are %v", seen)
	}
	if seen := projects(1, 1000); seen["many"] != 1 || seen["few"] != 1 {
		t.Errorf("one of each is %v", seen)
	}
}
