package storetest

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// takenByOne takes the one open request as two processes do that have listed it both.
func takenByOne(t *testing.T, s *store.Store) {
	t.Helper()
	take := func(r store.Request, want bool) store.Request {
		t.Helper()
		if mine, err := s.TakeRequest(t.Context(), &r); err != nil || mine != want {
			t.Errorf("taking it gave %v, %v", mine, err)
		}
		return r
	}
	list := func() store.Request {
		t.Helper()
		open, err := s.OpenRequests(t.Context(), 10)
		if err != nil || len(open) != 1 || open[0].Answer != "" {
			t.Fatalf("open are %+v, %v", open, err)
		}
		return open[0]
	}
	before := list()
	taken := take(before, true)
	take(before, false)
	take(list(), false)
	must(t, s.GiveBackRequest(t.Context(), taken))
	take(list(), true)
}

// withdrawnAndAskedAgain asks to fail an operation, which only who has asked takes back.
func withdrawnAndAskedAgain(t *testing.T, s *store.Store, id string) {
	t.Helper()
	ctx, r := t.Context(), store.Request{OperationID: id, Kind: store.FailRequest}
	for _, reason := range []string{"first", "second"} {
		r.Reason = reason
		must(t, s.AskOperation(ctx, r))
		r.Reason = "another's"
		must(t, s.AskOperation(ctx, r))
		must(t, s.WithdrawRequest(ctx, r, "never mind"))
		if got, err := s.OperationRequest(ctx, id, r.Kind); err != nil || got.Reason != reason || !got.AnsweredAt.IsZero() {
			t.Errorf("it is %+v, %v", got, err)
		}
		r.Reason = reason
		must(t, s.WithdrawRequest(ctx, r, "it has returned"))
		must(t, s.WithdrawRequest(ctx, r, "too late"))
		if got, err := s.OperationRequest(ctx, id, r.Kind); err != nil || got.Answer != "it has returned" || got.AnsweredAt.IsZero() {
			t.Errorf("it is %+v, %v", got, err)
		}
	}
}

// testRequests asks an operation to stop, and then, when it is over, to be done again.
func testRequests(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, a))
	id := a.Operation.ID
	ask := func(kind store.RequestKind, reason string) error {
		return s.AskOperation(ctx, store.Request{OperationID: id, Kind: kind, Reason: reason})
	}
	if _, err := s.OperationRequest(ctx, id, store.CancelRequest); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("before it is asked: %v", err)
	}
	wantKind(t, ask(store.RetryRequest, "again"), karbor.Conflict)
	must(t, ask(store.CancelRequest, "cancelled by ada"))
	must(t, ask(store.CancelRequest, "cancelled by bob"))
	open, err := s.OpenRequests(ctx, 10)
	if err != nil || len(open) != 1 || open[0].OperationID != id || open[0].Reason != "cancelled by ada" || open[0].Kind != store.CancelRequest {
		t.Fatalf("open are %+v, %v", open, err)
	}
	must(t, s.AnswerRequest(ctx, open[0], "accepted"))
	must(t, s.AnswerRequest(ctx, open[0], "too late"))
	if got, err := s.OperationRequest(ctx, id, store.CancelRequest); err != nil || got.Answer != "accepted" || got.AnsweredAt.IsZero() {
		t.Errorf("it is %+v, %v", got, err)
	}
	if open, err := s.OpenRequests(ctx, 10); err != nil || len(open) != 0 {
		t.Errorf("open are %+v, %v", open, err)
	}
	withdrawnAndAskedAgain(t, s, id)
	must(t, s.EndOperation(ctx, id, store.Outcome{LogStatus: karbor.LogError}))
	wantKind(t, ask(store.CancelRequest, "too late"), karbor.Conflict)
	wantKind(t, ask(store.FailRequest, "too late"), karbor.Conflict)
	wantKind(t, s.AskOperation(ctx, store.Request{OperationID: karbor.NewID(), Kind: store.CancelRequest}), karbor.NotFound)
	for _, reason := range []string{"first", "second"} {
		must(t, ask(store.RetryRequest, reason))
		got, err := s.OperationRequest(ctx, id, store.RetryRequest)
		if err != nil || got.Reason != reason || !got.AnsweredAt.IsZero() {
			t.Errorf("it is %+v, %v", got, err)
		}
		takenByOne(t, s)
		must(t, s.AnswerRequest(ctx, got, "done"))
	}
	must(t, s.Forgotten(ctx, []string{id}))
	if _, err := s.PurgeDeleted(ctx, store.Purge{Before: time.Now().AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OperationRequest(ctx, id, store.RetryRequest); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("after the purge: %v", err)
	}
}

// testFindOperation looks for operations by their own ids, and by those of what they make.
func testFindOperation(t *testing.T, s *store.Store) {
	ctx, c := t.Context(), NewCheckpoint("project")
	made := Acceptance(karbor.Protect, c)
	must(t, s.Accept(ctx, made))
	find := func(project, id, want string) {
		t.Helper()
		got, err := s.FindOperation(ctx, project, id)
		if want == "" {
			wantKind(t, err, karbor.NotFound)
		} else if err != nil || got.ID != want {
			t.Errorf("%s is of %s, %v; want %s", id, got.ID, err, want)
		} else if head, err := s.FindOperationHead(ctx, project, id); err != nil || head.ID != want || head.Graph != nil {
			t.Errorf("the columns of %s are %+v, %v; want those of %s", id, head, err, want)
		}
	}
	find("project", made.Operation.ID, made.Operation.ID)
	find("project", c.ID, made.Operation.ID)
	find("", c.ID, made.Operation.ID)
	find("another", c.ID, "")
	find("another", made.Operation.ID, "")
	find("project", karbor.NewID(), "")
	entries := func(project string, ended bool, want int) []store.OperationEntry {
		t.Helper()
		got, err := s.OperationEntries(ctx, project, ended, 10)
		if err != nil || len(got) != want {
			t.Fatalf("listed are %+v, %v", got, err)
		}
		return got
	}
	if got := entries("", false, 1); got[0].ID != made.Operation.ID || got[0].Status != made.Log.Status || !got[0].EndedAt.IsZero() {
		t.Errorf("it is listed as %+v", got)
	}
	entries("another", true, 0)
	must(t, s.EndOperation(ctx, made.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}))
	entries("project", false, 0)
	if got := entries("project", true, 1); got[0].EndedAt.IsZero() || got[0].Status != "available" {
		t.Errorf("it is listed as %+v", got)
	}
	deleted := Acceptance(karbor.Delete, c)
	must(t, s.Accept(ctx, deleted))
	find("project", c.ID, deleted.Operation.ID)
	find("project", made.Operation.ID, made.Operation.ID)
}
