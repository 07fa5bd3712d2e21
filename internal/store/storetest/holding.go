package storetest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// testHoldings has the operations of two projects hold things, and end.
func testHoldings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	begin := func(project string) (store.Operation, []karbor.NodeKey) {
		a := Acceptance(karbor.Protect, NewCheckpoint(project))
		must(t, s.Accept(ctx, a))
		var keys []karbor.NodeKey
		for _, n := range a.Operation.Graph.Nodes() {
			keys = append(keys, n.Key())
		}
		return a.Operation, keys
	}
	op, keys := begin("p")
	other, others := begin("q")
	must(t, s.Hold(ctx, op.ID, keys[0], protection.Holding{Kind: protection.HeldSnapshot, ID: "s", GiB: 2}))
	must(t, s.Hold(ctx, op.ID, keys[0], protection.Holding{Kind: protection.HeldImage, ID: "i"}))
	must(t, s.Hold(ctx, op.ID, keys[0], protection.Holding{Kind: protection.HeldImage, ID: "i", GiB: 3})) // now its size is known
	must(t, s.Hold(ctx, op.ID, keys[1], protection.Holding{Kind: protection.HeldVolume, ID: "s", GiB: 5}))
	must(t, s.Hold(ctx, other.ID, others[0], protection.Holding{Kind: protection.HeldSnapshot, ID: "s", GiB: 7}))
	if err := s.Hold(ctx, karbor.NewID(), keys[0], protection.Holding{Kind: protection.HeldVolume, ID: "v"}); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("an operation that is not there holds something: %v", err)
	}
	sum := func(f store.HoldingFilter, want map[protection.HoldingKind]store.Held) {
		t.Helper()
		got, err := s.HeldNow(ctx, f)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v is held (-want +got):\n%s", f, diff)
		}
	}
	sum(store.HoldingFilter{ProjectID: "p"}, map[protection.HoldingKind]store.Held{
		protection.HeldSnapshot: {Number: 1, GiB: 2}, protection.HeldImage: {Number: 1, GiB: 3}, protection.HeldVolume: {Number: 1, GiB: 5}})
	sum(store.HoldingFilter{}, map[protection.HoldingKind]store.Held{
		protection.HeldSnapshot: {Number: 2, GiB: 9}, protection.HeldImage: {Number: 1, GiB: 3}, protection.HeldVolume: {Number: 1, GiB: 5}})
	must(t, s.Release(ctx, op.ID, protection.HeldSnapshot, "s"))
	must(t, s.Release(ctx, op.ID, protection.HeldSnapshot, "unheard of"))
	for operation, want := range map[string][]karbor.NodeKey{
		op.ID: slices.Sorted(slices.Values(keys[:2])), other.ID: others[:1], karbor.NewID(): nil,
	} {
		got, err := s.Holding(ctx, operation)
		must(t, err)
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("operation %s holds something for (-want +got):\n%s", operation, diff)
		}
	}
	yes, no := true, false
	for _, one := range []struct {
		filter store.HoldingFilter
		want   int
	}{
		{store.HoldingFilter{ProjectID: "p"}, 3}, {store.HoldingFilter{}, 4}, {store.HoldingFilter{ProjectID: "q", OperationID: op.ID}, 0},
		{store.HoldingFilter{ProjectID: "p", Held: &yes}, 2}, {store.HoldingFilter{ProjectID: "p", Held: &no}, 1},
		{store.HoldingFilter{CheckpointID: other.CheckpointID}, 1}, {store.HoldingFilter{Kind: protection.HeldSnapshot}, 2},
	} {
		found, err := s.Holdings(ctx, one.filter, store.Page{})
		must(t, err)
		if len(found) != one.want {
			t.Errorf("%+v lists %d, want %d", one.filter, len(found), one.want)
		}
	}
	// The volume could not be removed; the note that the image is gone was lost.
	must(t, s.EndOperation(ctx, op.ID, store.Outcome{LogStatus: karbor.LogError, Left: map[karbor.NodeKey]string{keys[1]: "it is locked"}}))
	found, err := s.Holdings(ctx, store.HoldingFilter{ProjectID: "p"}, store.Page{})
	must(t, err)
	for _, h := range found {
		left := h.Key == keys[1]
		if left != h.ReleasedAt.IsZero() || left != (h.Left == "it is locked") || h.OperationID != op.ID || h.CheckpointID != op.CheckpointID || h.HeldAt.IsZero() {
			t.Errorf("after the end it says %+v", h)
		}
	}
	rows, err := s.LeftoversOf(ctx, op.ProviderID, op.CheckpointID)
	if err != nil || len(rows) != 1 {
		t.Fatalf("left over is %+v, %v", rows, err)
	}
	// Who tries to remove what is left may make something; a hook that comes too late may not.
	late := protection.Holding{Kind: protection.HeldImage, ID: "late"}
	must(t, s.Hold(ctx, op.ID, keys[1], late))
	wantKind(t, s.Hold(ctx, op.ID, keys[0], late), karbor.Conflict)
	must(t, s.RemoveLeftover(ctx, rows[0], false))
	wantKind(t, s.Hold(ctx, op.ID, keys[1], late), karbor.Conflict)
	sum(store.HoldingFilter{ProjectID: "p"}, map[protection.HoldingKind]store.Held{})
	sum(store.HoldingFilter{}, map[protection.HoldingKind]store.Held{protection.HeldSnapshot: {Number: 1, GiB: 7}})
}
