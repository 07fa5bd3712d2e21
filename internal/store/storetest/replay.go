package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testReplays(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := store.Replay{Scope: "scope", Body: "body", Owner: "me"}
	var first atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			found, mine, err := s.ClaimReplay(ctx, r)
			if err != nil || found.Body != "body" || found.Done || found.Answer != nil {
				t.Errorf("got %+v, %v", found, err)
			}
			if mine {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d of 8 were the first", first.Load())
	}
	answer := []byte(`{"b": 1,   "a": ["<ü>"]}`)
	must(t, s.AnswerReplay(ctx, "scope", answer))
	found, mine, err := s.ClaimReplay(ctx, store.Replay{Scope: "scope", Body: "else", Owner: "other"})
	want := store.Replay{Scope: "scope", Body: "body", Owner: "me", Done: true, Answer: answer}
	if diff := cmp.Diff(want, found); diff != "" || mine || err != nil {
		t.Errorf("mine is %t, %v (-want +got):\n%s", mine, err, diff)
	}
	must(t, s.DropReplay(ctx, "scope", true))
	if _, mine, err := s.ClaimReplay(ctx, r); mine || err != nil {
		t.Errorf("an answered request was dropped: %v", err)
	}
	r.Scope = "second"
	for range 2 {
		if _, mine, err := s.ClaimReplay(ctx, r); !mine || err != nil {
			t.Errorf("mine is %t, %v", mine, err)
		}
		must(t, s.DropReplay(ctx, "second", false))
	}
}

// claimed gives whether a request is there, and whether it is marked.
func claimed(t *testing.T, s *store.Store, scope string) (there, done bool) {
	t.Helper()
	found, mine, err := s.ClaimReplay(t.Context(), store.Replay{Scope: scope})
	must(t, err)
	if mine {
		must(t, s.DropReplay(t.Context(), scope, false))
	}
	return !mine, found.Done
}

func testReplayMarks(t *testing.T, s *store.Store) {
	_, _, err := s.ClaimReplay(t.Context(), store.Replay{Scope: "scope"})
	must(t, err)
	ctx := store.WithReplay(t.Context(), "scope")
	wantKind(t, s.Accept(ctx, Acceptance(karbor.Delete, NewCheckpoint("project"))), karbor.NotFound)
	if there, done := claimed(t, s, "scope"); !there || done {
		t.Errorf("after what was not kept: there %t, done %t", there, done)
	}
	lending := store.Lending{ID: karbor.NewID(), ProjectID: "project", UserID: "user", End: start}
	must(t, s.BeginLending(ctx, lending))
	must(t, s.EndLending(ctx, lending.ID, time.Time{}))
	if there, done := claimed(t, s, "scope"); !there || done {
		t.Errorf("after notes of what goes by itself: there %t, done %t", there, done)
	}
	must(t, s.Accept(ctx, Acceptance(karbor.Protect, NewCheckpoint("project"))))
	if there, done := claimed(t, s, "scope"); !there || !done {
		t.Errorf("after what was kept: there %t, done %t", there, done)
	}
	must(t, s.DropReplay(ctx, "scope", false))
	if there, done := claimed(t, s, "scope"); !there || !done {
		t.Errorf("what was kept is forgotten: there %t, done %t", there, done)
	}
	must(t, s.DropReplay(ctx, "scope", true))
	if there, _ := claimed(t, s, "scope"); there {
		t.Error("what was refused stays")
	}
}

func testRevocations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	list := func(ctx context.Context) []store.Revocation {
		found, err := s.Revocations(ctx, 10)
		must(t, err)
		return found
	}
	for _, revoke := range []bool{false, true} {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Operation.RequestID = "req-1"
		must(t, s.Accept(ctx, a))
		if op, err := s.Operation(ctx, a.Operation.ID); op.RequestID != "req-1" || err != nil {
			t.Errorf("the request's id is %q, %v", op.RequestID, err)
		}
		end := store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available", Revoke: revoke}
		for range 2 {
			must(t, s.EndOperation(ctx, a.Operation.ID, end))
		}
		if !revoke {
			if found := list(ctx); len(found) > 0 {
				t.Errorf("to revoke: %v", found)
			}
			continue
		}
		want := []store.Revocation{{OperationID: a.Operation.ID, Delegation: a.Operation.Delegation}}
		if diff := cmp.Diff(want, list(ctx)); diff != "" {
			t.Errorf("to revoke (-want +got):\n%s", diff)
		}
		for range 2 {
			must(t, s.Revoked(ctx, a.Operation.ID))
		}
		if found := list(ctx); len(found) > 0 {
			t.Errorf("still to revoke: %v", found)
		}
	}
}
