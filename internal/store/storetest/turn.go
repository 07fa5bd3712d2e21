package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// accepted accepts an operation, and gives its id.
func accepted(t *testing.T, s *store.Store) string {
	t.Helper()
	a := Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(t.Context(), a))
	return a.Operation.ID
}

func turnOf(operation string) store.Turn {
	return store.Turn{OperationID: operation, Name: "networking", Holder: karbor.NewID()}
}

// wantTurn takes a turn for an hour.
func wantTurn(ctx context.Context, t *testing.T, s *store.Store, turn store.Turn, want bool) {
	t.Helper()
	if taken, err := s.TakeTurn(ctx, turn, time.Hour); err != nil || taken != want {
		t.Errorf("the turn %+v is taken: %t, %v; want %t", turn, taken, err, want)
	}
}

func testTurns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	id := accepted(t, s)
	first, second := turnOf(id), turnOf(id)
	wantTurn(ctx, t, s, first, true)
	wantTurn(ctx, t, s, first, true) // the answer may have been lost
	wantTurn(ctx, t, s, second, false)
	other := second
	other.Name = "server"
	wantTurn(ctx, t, s, other, true)
	wantTurn(ctx, t, s, turnOf(accepted(t, s)), true)
	must(t, s.KeepTurn(ctx, first, time.Hour))
	wantKind(t, s.KeepTurn(ctx, second, time.Hour), karbor.Conflict)
	must(t, s.LeaveTurn(ctx, second)) // not its own
	wantTurn(ctx, t, s, second, false)
	must(t, s.LeaveTurn(ctx, first))
	wantKind(t, s.KeepTurn(ctx, first, time.Hour), karbor.Conflict)
	wantTurn(ctx, t, s, second, true)
}

func testTurnRace(t *testing.T, s *store.Store) {
	id := accepted(t, s)
	var running sync.WaitGroup
	var taken atomic.Int64
	for range 8 {
		running.Go(func() {
			got, err := s.TakeTurn(t.Context(), turnOf(id), time.Hour)
			if err != nil {
				t.Error(err)
			}
			if got {
				taken.Add(1)
			}
		})
	}
	running.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d have the turn", n)
	}
}

func testTurnEnds(t *testing.T, s *store.Store) {
	ctx := t.Context()
	id := accepted(t, s)
	// Its time is over at once.
	late, next := turnOf(id), turnOf(id)
	if taken, err := s.TakeTurn(ctx, late, 0); err != nil || !taken {
		t.Fatalf("it is taken: %t, %v", taken, err)
	}
	must(t, s.KeepTurn(ctx, late, 0)) // nobody else wants it
	wantTurn(ctx, t, s, next, true)
	wantKind(t, s.KeepTurn(ctx, late, time.Hour), karbor.Conflict)
	must(t, s.LeaveTurn(ctx, next))

	// Its attempt is dead: a later one has begun.
	dead, err := s.Claim(ctx, id, "main", 1)
	must(t, err)
	other, err := s.Claim(ctx, id, "complete", 1)
	must(t, err)
	wantTurn(dead, t, s, late, true)
	wantTurn(other, t, s, next, false)
	alive, err := s.Claim(ctx, id, "main", 2)
	must(t, err)
	wantTurn(other, t, s, next, true)
	wantKind(t, s.KeepTurn(dead, late, time.Hour), karbor.Conflict)
	must(t, s.LeaveTurn(other, next))
	_, err = s.TakeTurn(dead, late, time.Hour)
	wantKind(t, err, karbor.Conflict)
	wantTurn(alive, t, s, late, true)
	must(t, s.KeepTurn(alive, late, time.Hour))

	// What its operation has left is removed after its end, by whoever comes.
	must(t, s.EndOperation(ctx, id, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: karbor.LogError}))
	wantKind(t, s.KeepTurn(ctx, late, time.Hour), karbor.Conflict)
	wantTurn(ctx, t, s, next, true)
	wantTurn(ctx, t, s, late, false)
	wantTurn(ctx, t, s, turnOf(id), false)
}
