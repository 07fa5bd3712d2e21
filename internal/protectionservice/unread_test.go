package protectionservice_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// damageGraph makes what the database has of the graph of an operation unreadable.
func (s *site) damageGraph(operation string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "karbor.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(s.t.Context(), "UPDATE operations SET graph = '{' WHERE id = ?", operation); err != nil {
		s.t.Fatal(err)
	}
}

// awaitsEnd has a hook wait for the end of its context, and tells that it has begun.
func awaitsEnd(begun chan<- struct{}) protection.Hook {
	return func(ctx context.Context, _ *protection.Call) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestAnOperationThatCannotBeReadIsEndedByTheOperator(t *testing.T) {
	s := newSite(t)
	begun := make(chan struct{}, 10)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: awaitsEnd(begun), Undo: s.script.note("undo")})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	op := s.operation(id).ID
	s.stop()
	s.ahead = time.Hour // the grace is over at once
	s.damageGraph(op)
	s.start()
	if got := s.ask(op, store.FailRequest, hangs); got != "the operation was ended as it lay" {
		t.Errorf("the answer is %q", got)
	}
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.HasPrefix(cp.Reasons[""], hangs) {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if left := s.leftovers(id); len(left) != 1 {
		t.Errorf("the ledger has %+v", left)
	}
	s.stop()
	s.ahead = 2 * time.Hour
	s.start() // what is left is looked for at the start
	s.poll(func() bool {
		left := s.leftovers(id)
		return len(left) == 1 && left[0].GivenUp && strings.Contains(left[0].Reason, "can't be read")
	})
}

func TestARestoreThatCannotBeReadIsEndedByTheOperator(t *testing.T) {
	s := newSite(t)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	begun := make(chan struct{}, 10)
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: awaitsEnd(begun)})
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID})
	if err != nil {
		t.Fatal(err)
	}
	arrives(t, begun)
	op := s.operation(r.ID).ID
	s.stop()
	s.ahead = time.Hour
	s.damageGraph(op)
	s.start()
	if got := s.ask(op, store.FailRequest, hangs); got != "the operation was ended as it lay" {
		t.Errorf("the answer is %q", got)
	}
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreFail || !strings.HasPrefix(r.ResourcesReason[""], hangs) {
		t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
}
