package protectionservice_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// blocked gives a Main hook that runs until it is stopped, and a channel that says that
// it has begun.
func blocked() (protection.Hook, <-chan struct{}) {
	begun := make(chan struct{}, 100)
	return func(ctx context.Context, _ *protection.Call) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, begun
}

func (s *site) cancel(id, why string) error {
	c := s.caller()
	c.Identity.UserName = "ada"
	return s.service.CancelOperation(s.t.Context(), c, projectID, id, why)
}

func (s *site) operation(id string) protectionservice.Operation {
	s.t.Helper()
	o, err := s.service.Operation(s.t.Context(), projectID, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func TestACancelledProtectIsStoppedUndoneAndInError(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	thing := &stubborn{there: true}
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main, Undo: func(context.Context, *protection.Call) error {
		thing.mu.Lock()
		defer thing.mu.Unlock()
		thing.there = false
		return nil
	}})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	if o := s.operation(id); o.State != protectionservice.OperationRunning || o.Cancelled != "" {
		t.Errorf("before, it is %+v", o)
	}
	if err := s.cancel(id, "the wrong\n plan"); err != nil {
		t.Fatal(err)
	}
	if err := s.cancel(id, "again"); err != nil && karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("a repeat gave %v", err)
	}
	cp := s.until(id)
	const reason = "cancelled by ada: the wrong plan"
	if cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != reason {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if thing.left() {
		t.Error("what was made was not removed")
	}
	o := s.operation(id)
	if o.State != protectionservice.OperationOver || o.Status != "error" || o.ErrorInfo != reason || o.Cancelled != reason {
		t.Errorf("it is %+v", o)
	}
	if err := s.cancel(id, ""); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("a cancel of what is over gave %v", err)
	}
	if err := s.cancel(karbor.NewID(), ""); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a cancel of nothing gave %v", err)
	}
	s.revoked(0)
}

func TestRestoresVerificationsAndDeletesAreCancelled(t *testing.T) {
	s := newSite(t)
	for _, op := range []karbor.OperationType{karbor.RestoreOperation, karbor.Verify, karbor.Delete} {
		main, begun := blocked()
		s.script.set(op, karbor.VolumeType, protection.Hooks{Main: main, Offline: op == karbor.Verify})
		cp := s.until(s.protect(s.plan(volume("v1"))))
		id, want := cp.ID, karbor.LogError
		switch op {
		case karbor.RestoreOperation:
			id = s.restore(t, cp.ID)
		case karbor.Verify:
			v, err := s.service.Verify(t.Context(), s.caller(), protectionservice.VerifyRequest{ProviderID: providerID, CheckpointID: cp.ID})
			if err != nil {
				t.Fatal(err)
			}
			id = v.ID
		default:
			if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
				t.Fatal(err)
			}
			want = karbor.LogStatus(karbor.CheckpointErrorDeleting)
		}
		arrives(t, begun)
		if err := s.cancel(id, ""); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		s.poll(func() bool { return s.operation(id).State == protectionservice.OperationOver })
		if o := s.operation(id); o.Status != want || o.ErrorInfo != "cancelled by ada" || o.Type != op {
			t.Errorf("%s: it is %+v", op, o)
		}
		if op == karbor.RestoreOperation {
			if r := s.untilRestored(id); r.Status != karbor.RestoreFail || r.ResourcesReason["OS::Cinder::Volume#v1"] != "cancelled by ada" {
				t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
			}
		}
		s.script.set(op, karbor.VolumeType, protection.Hooks{})
	}
}

func TestACancelIsHonouredAfterTheProcessHasDied(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	// What a process does that dies before it has told the engine.
	r := store.Request{OperationID: s.operation(id).ID, Kind: store.CancelRequest, Reason: "cancelled by ada"}
	s.stop()
	db := s.open()
	if err := db.AskOperation(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	if cp := s.until(id); cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != "cancelled by ada" {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestAnOperationThatTheEngineHasNotGotYetIsCancelledWhenItHas(t *testing.T) {
	s := newSite(t)
	main, _ := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	s.balky = &balky{refused: map[string]bool{}, most: 1}
	s.restart()
	id := s.protect(s.plan(volume("v1")))
	if err := s.cancel(id, ""); err != nil {
		t.Fatal(err)
	}
	if o := s.operation(id); o.State != protectionservice.OperationWaiting || o.Cancelled != "cancelled by ada" {
		t.Errorf("it is %+v", o)
	}
	s.stop()
	s.balky = nil
	s.start()
	if cp := s.until(id); cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "cancelled by ada") {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestWhatIsInTransitionAtACancelIsRemovedLater(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	thing := &stubborn{there: true}
	thing.set(karbor.Transientf("the snapshot is still creating"))
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main, Undo: func(context.Context, *protection.Call) error {
		thing.mu.Lock()
		defer thing.mu.Unlock()
		thing.there = thing.remove != nil
		return thing.remove
	}})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	began := time.Now()
	if err := s.cancel(id, ""); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return strings.Contains(s.operation(id).Progress[0].Reason, "still creating") })
	cp := s.until(id)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	reason := cp.Reasons["OS::Cinder::Volume#v1"]
	if cp.Status != karbor.CheckpointError || !strings.HasPrefix(reason, "cancelled by ada; ") || !strings.Contains(reason, "as soon as the cloud lets it") {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if l := s.leftovers(id); len(l) != 1 {
		t.Fatalf("the ledger holds %+v", l)
	}
	s.stop()
	thing.set(nil)
	s.ahead = 2 * time.Minute
	s.restart()
	s.poll(func() bool { return len(s.leftovers(id)) == 0 })
	if thing.left() {
		t.Error("it is left in the cloud")
	}
	s.revoked(0)
}

func TestATransferToASlowBankStopsWithinTenSecondsOfACancel(t *testing.T) {
	s := newSite(t)
	stopped := make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		w, err := c.Data.Create(ctx, "data")
		if err != nil {
			return err
		}
		defer close(stopped)
		defer func() { _ = w.Abort(context.WithoutCancel(ctx)) }()
		s.slow.Store(int64(time.Hour))
		block := bytes.Repeat([]byte("no two blocks are alike "), 1<<15)
		for i := range 1 << 20 {
			block[i%len(block)]++
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		_, err = w.Commit(ctx)
		return err
	}})
	id := s.protect(s.plan(volume("v1")))
	s.poll(func() bool { return s.waits.Load() > 0 })
	began := time.Now()
	if err := s.cancel(id, ""); err != nil {
		t.Fatal(err)
	}
	arrives(t, stopped)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the transfer stopped after %v", took)
	}
	s.slow.Store(0)
	if cp := s.until(id); cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != "cancelled by ada" {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}
