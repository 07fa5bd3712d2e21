package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// testJoint: a joint is journalled with its operation, or neither is kept.
func testJoint(t *testing.T, s *store.Store) {
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	token, _, err := s.Journal().Acquire(ctx, "me", time.Minute)
	must(t, err)
	joint := func(token int64) store.Acceptance {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Joint = &local.Joint{
			Token:     token,
			Operation: local.OperationRecord{ID: a.Operation.ID, State: workflow.Running, CreatedAt: now, StartedAt: now},
			Steps:     []workflow.Step{{ID: "end", Action: "end"}},
		}
		return a
	}
	a := joint(token)
	must(t, s.Accept(ctx, a))
	if got, err := s.Undispatched(ctx, 1000); err != nil || slices.Contains(got, a.Operation.ID) {
		t.Errorf("the outbox holds %v, %v", got, err)
	}
	found, err := s.Journal().Load(ctx, a.Operation.ID)
	if err != nil || found.OperationRecord != a.Joint.Operation || len(found.Steps) != 1 {
		t.Errorf("the journal holds %+v, %v", found, err)
	}
	late := joint(token + 1)
	if err := s.Accept(ctx, late); !errors.Is(err, local.ErrFenced) {
		t.Errorf("under a token that is not the lease's the error is %v", err)
	}
	_, err = s.Operation(ctx, late.Operation.ID)
	wantKind(t, err, karbor.NotFound)
	_, err = s.Journal().Load(ctx, late.Operation.ID)
	wantKind(t, err, karbor.NotFound)
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))
}
