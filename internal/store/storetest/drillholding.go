package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// testDrillHoldings has an operation note what it asks the cloud for, and what became of it.
func testDrillHoldings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := Acceptance(karbor.Protect, NewCheckpoint("p"))
	must(t, s.Accept(ctx, a))
	op := a.Operation.ID
	nodes := a.Operation.Graph.Nodes()
	one, other := nodes[0].Key(), nodes[1].Key()
	type entry struct {
		Key         karbor.NodeKey
		ID          string
		GiB         int64
		Asked, Gone bool
	}
	told := func(f store.HoldingFilter, want ...entry) {
		t.Helper()
		found, err := s.Holdings(ctx, f, store.Page{})
		must(t, err)
		got, expected := map[entry]int{}, map[entry]int{}
		for _, h := range found {
			got[entry{h.Key, h.Holding.ID, h.GiB, h.Asked != "", !h.ReleasedAt.IsZero()}]++
		}
		for _, e := range want {
			expected[e]++
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%+v tells (-want +got):\n%s", f, diff)
		}
	}
	drills := store.HoldingFilter{ProjectID: "p"}
	volume := protection.Holding{Kind: protection.HeldVolume, GiB: 3, Drill: true, Asked: "volume"}
	port := protection.Holding{Kind: protection.HeldPort, Drill: true, Asked: "port for 1"}
	router := protection.Holding{Kind: protection.HeldRouter, Drill: true, Asked: "router", Node: other}
	for range 2 { // a process may die, and say it again
		must(t, s.Hold(ctx, op, one, volume))
		must(t, s.Hold(ctx, op, one, port))
		must(t, s.Hold(ctx, op, other, volume)) // of the same name, for another node
		must(t, s.Hold(ctx, op, one, router))
	}
	told(drills, entry{one, "", 3, true, false}, entry{one, "", 0, true, false}, entry{other, "", 3, true, false}, entry{other, "", 0, true, false})
	now, err := s.HeldNow(ctx, drills)
	must(t, err)
	if diff := cmp.Diff(map[protection.HoldingKind]store.Held{
		protection.HeldVolume: {Number: 2, GiB: 6}, protection.HeldPort: {Number: 1}, protection.HeldRouter: {Number: 1},
	}, now); diff != "" {
		t.Errorf("what is asked for counts as (-want +got):\n%s", diff)
	}
	volume.ID = "v"
	must(t, s.Hold(ctx, op, one, volume))
	must(t, s.Hold(ctx, op, one, protection.Holding{Kind: protection.HeldVolume, GiB: 3, Drill: true, Asked: "volume"})) // by who comes after a crash
	must(t, s.Hold(ctx, op, one, volume))
	told(store.HoldingFilter{Kind: protection.HeldVolume}, entry{one, "v", 3, false, false}, entry{other, "", 3, true, false})
	must(t, s.Hold(ctx, op, one, protection.Holding{Kind: protection.HeldSnapshot, ID: "s"})) // no restore would leave it
	told(store.HoldingFilter{ProjectID: "p", NoDrills: true}, entry{one, "s", 0, false, false})
	// The undo of a node takes what was restored for it, known by its id or not, and nothing else.
	must(t, s.ReleaseDrilled(ctx, op, one))
	told(drills, entry{one, "v", 3, false, true}, entry{one, "", 0, true, true}, entry{one, "s", 0, false, false},
		entry{other, "", 3, true, false}, entry{other, "", 0, true, false})
	must(t, s.EndOperation(ctx, op, store.Outcome{LogStatus: karbor.LogSuccess}))
	if now, err = s.HeldNow(ctx, drills); err != nil || len(now) > 0 {
		t.Errorf("behind the end there is %v, %v", now, err)
	}
}
