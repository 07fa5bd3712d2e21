package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// waiting accepts an operation that waits for a place.
func waiting(t *testing.T, s *store.Store, project, provider string, at time.Time) string {
	t.Helper()
	c := NewCheckpoint(project)
	c.ProviderID = provider
	a := Acceptance(karbor.Protect, c)
	a.Operation.Waiting, a.Operation.ProviderID, a.Operation.CreatedAt = true, provider, at
	must(t, s.Accept(t.Context(), a))
	return a.Operation.ID
}

// each gives the same number of places to every group.
func each(n int) func([]store.OperationGroup) []int {
	return func(groups []store.OperationGroup) []int {
		return slices.Repeat([]int{n}, len(groups))
	}
}

func wantOutbox(t *testing.T, s *store.Store, want ...string) {
	t.Helper()
	got, err := s.Undispatched(t.Context(), 100)
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the outbox holds %v, %v; want %v", got, err, want)
	}
}

func testPlaces(t *testing.T, s *store.Store) {
	ctx, now := t.Context(), time.Now()
	if left, err := s.GivePlaces(ctx, each(1)); err != nil || left {
		t.Errorf("of none: %v, %v", left, err)
	}
	second := waiting(t, s, "a", "p", now.Add(2*time.Second))
	first := waiting(t, s, "a", "p", now.Add(time.Second))
	other := waiting(t, s, "a", "q", now.Add(3*time.Second))
	alone := waiting(t, s, "b", "p", now)
	wantOutbox(t, s)
	if left, err := s.GivePlaces(ctx, each(0)); err != nil || !left {
		t.Errorf("without a place: %v, %v", left, err)
	}
	if left, err := s.GivePlaces(ctx, each(1)); err != nil || !left {
		t.Errorf("of one each: %v, %v", left, err)
	}
	wantOutbox(t, s, first, other, alone)
	must(t, s.Dispatched(ctx, first))
	must(t, s.EndOperation(ctx, alone, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))
	third := waiting(t, s, "a", "p", now.Add(5*time.Second))
	op, err := s.Operation(ctx, third)
	must(t, err)
	if n, err := s.WaitingBefore(ctx, op); err != nil || n != 1 || !op.Waiting || op.Dispatched {
		t.Errorf("%d before it, %v; it is %+v", n, err, op)
	}
	got, err := s.OperationGroups(ctx)
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("groups are %+v", got)
	}
	for _, g := range got {
		want := store.OperationGroup{ProjectID: "a", ProviderID: "q", Working: 1}
		if g.ProviderID == "p" {
			want = store.OperationGroup{ProjectID: "a", ProviderID: "p", Working: 1, Waiting: 2, Oldest: g.Oldest}
			if sent, err := s.Operation(ctx, second); err != nil || !g.Oldest.Equal(sent.CreatedAt) {
				t.Errorf("the oldest is of %v, %v", g.Oldest, err)
			}
		}
		if g != want {
			t.Errorf("got %+v, want %+v", g, want)
		}
	}
	if running, err := s.OperationsAtWork(ctx); err != nil || !slices.Equal(running, []string{first, other}) {
		t.Errorf("at work are %v, %v", running, err)
	}
	if left, err := s.GivePlaces(ctx, each(5)); err != nil || left {
		t.Errorf("of all: %v, %v", left, err)
	}
	wantOutbox(t, s, second, third, other)
}

func testExempt(t *testing.T, s *store.Store) {
	ctx, now := t.Context(), time.Now()
	c := NewCheckpoint("a")
	made := Acceptance(karbor.Protect, c)
	must(t, s.Accept(ctx, made))
	must(t, s.EndOperation(ctx, made.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}))
	removal := Acceptance(karbor.Delete, c)
	removal.Operation.Waiting = true
	must(t, s.Accept(ctx, removal))
	waiting(t, s, "a", "p", now)
	cancelled := waiting(t, s, "a", "p", now)
	must(t, s.AskOperation(ctx, store.Request{OperationID: cancelled, Kind: store.CancelRequest, Reason: "never mind"}))
	failed := waiting(t, s, "a", "p", now)
	must(t, s.EndOperation(ctx, failed, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))
	if left, err := s.GivePlaces(ctx, each(0)); err != nil || !left {
		t.Errorf("left is %v, %v", left, err)
	}
	wantOutbox(t, s, removal.Operation.ID, cancelled)
	if ids, err := s.Rememberable(ctx, now.Add(time.Hour), 10); err != nil || !slices.Contains(ids, failed) {
		t.Errorf("over are %v, %v", ids, err)
	}
}
