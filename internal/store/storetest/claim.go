package storetest

import (
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

func testClaims(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, a))
	id, key := a.Operation.ID, a.Operation.Graph.Nodes()[0].Key()
	same := func(*store.ResourceRecord) error { return nil }

	first, err := s.Claim(ctx, id, "main", 1)
	must(t, err)
	must(t, s.UpdateResource(first, id, key, same))
	other, err := s.Claim(ctx, id, "complete", 1)
	must(t, err)
	first, err = s.Claim(ctx, id, "main", 1) // the same again
	must(t, err)
	must(t, s.Claimed(first))

	second, err := s.Claim(ctx, id, "main", 2)
	must(t, err)
	wantKind(t, s.Claimed(first), karbor.Conflict)
	wantKind(t, s.UpdateResource(first, id, key, same), karbor.Conflict)
	wantKind(t, s.SaveScratch(first, id, key, 1), karbor.Conflict)
	something := protection.Holding{Kind: protection.HeldImage, ID: "i"}
	wantKind(t, s.Hold(first, id, key, something), karbor.Conflict)
	must(t, s.Hold(second, id, key, something))
	_, err = s.Claim(ctx, id, "main", 1)
	wantKind(t, err, karbor.Conflict)
	must(t, s.SaveScratch(second, id, key, 1))
	must(t, s.SaveScratch(other, id, key, 1))
	must(t, s.SaveScratch(ctx, id, key, 1))

	// An engine that has lost the operation counts from the first attempt again.
	must(t, s.Dispatched(ctx, id))
	must(t, s.Restart(ctx, id))
	if ids, err := s.Undispatched(ctx, 10); err != nil || !slices.Contains(ids, id) {
		t.Errorf("the outbox holds %v, %v", ids, err)
	}
	anew, err := s.Claim(ctx, id, "main", 1)
	must(t, err)
	must(t, s.SaveScratch(anew, id, key, 1))
	wantKind(t, s.SaveScratch(second, id, key, 1), karbor.Conflict)

	must(t, s.EndOperation(ctx, id, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))
	wantKind(t, s.UpdateResource(second, id, key, same), karbor.Conflict)
	wantKind(t, s.Hold(second, id, key, something), karbor.Conflict)
	_, err = s.Claim(ctx, id, "main", 3)
	wantKind(t, err, karbor.Conflict)
}

// testClaimedCopies has a late attempt of a lane keep nothing of the copies that a later one makes.
func testClaimedCopies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := series(t, s, 1, gibibyte)
	a, made := copying(all[0], store.CopyTarget{Name: "far"})
	must(t, s.Accept(ctx, a))
	late, err := s.Claim(ctx, made.ID, "copy:far", 1)
	must(t, err)
	must(t, s.BeginCopied(late, made.ID, 0))
	must(t, s.MoveCopied(late, made.ID, 0, 1, 10, 1))
	last, err := s.Claim(ctx, made.ID, "copy:far", 2)
	must(t, err)
	before, err := s.Copied(ctx, made.ID)
	must(t, err)
	for name, write := range map[string]func() error{
		"begin": func() error { return s.BeginCopied(late, made.ID, 0) },
		"move":  func() error { return s.MoveCopied(late, made.ID, 0, 9, 10, 9) },
		"fail":  func() error { return s.FailCopied(late, made.ID, 0, "late") },
		"end":   func() error { return s.EndCopied(late, a.Operation, 0, store.CopiedOutcome{Reason: "late"}) },
	} {
		if err := write(); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("%s by the late attempt: %v", name, err)
		}
	}
	after, err := s.Copied(ctx, made.ID)
	must(t, err)
	same(t, before, after)
	must(t, s.FailCopied(last, made.ID, 0, "the bank is off"))
	must(t, s.EndCopied(last, a.Operation, 0, store.CopiedOutcome{Size: gibibyte}))
	must(t, s.EndOperation(ctx, made.ID, store.Outcome{CopyStatus: karbor.CopyFinished, LogStatus: karbor.LogSuccess}))
}
