package protectionservice_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// stubborn is a thing in the cloud that can't be removed for a while.
type stubborn struct {
	mu     sync.Mutex
	there  bool
	remove error
	record struct{ Made string }
}

func (s *stubborn) set(remove error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove = remove
}

func (s *stubborn) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.there
}

func (s *stubborn) hooks() protection.Hooks {
	return protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			s.mu.Lock()
			s.there = true
			s.mu.Unlock()
			if err := c.Scratch.Save(ctx, map[string]string{"Made": "x"}); err != nil {
				return err
			}
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		},
		Undo: func(ctx context.Context, c *protection.Call) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := c.Scratch.Load(ctx, &s.record); err != nil || s.remove != nil {
				return s.remove
			}
			s.there = s.record.Made != "x" || c.Cloud == nil
			return nil
		},
	}
}

func (s *site) leftovers(checkpoint string) []store.Leftover {
	found, err := s.store.LeftoversOf(context.Background(), providerID, checkpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// refusal is an error of an undo that gives up at once.
func refusal() error { return karbor.Errorf(karbor.Forbidden, "the cloud lets nobody delete it") }

func TestWhatAnUndoCouldNotRemoveIsTriedAgainUntilItIsGone(t *testing.T) {
	s := newSite(t)
	thing := &stubborn{remove: refusal()}
	s.script.set(karbor.Protect, karbor.VolumeType, thing.hooks())
	cp := s.until(s.protect(s.plan(volume("v1"))))
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "could not be removed") {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if l := s.leftovers(cp.ID); len(l) != 1 || !strings.Contains(l[0].Reason, "lets nobody delete it") || l[0].GivenUp {
		t.Fatalf("the ledger holds %+v", l)
	}
	if granted, revoked := s.authority.counts(); revoked != 0 {
		t.Errorf("%d of %d delegations are revoked", revoked, granted)
	}
	s.stop()
	thing.set(nil)
	s.ahead = 2 * time.Hour
	s.restart()
	s.poll(func() bool { return len(s.leftovers(cp.ID)) == 0 })
	if thing.left() {
		t.Error("it is left in the cloud")
	}
	s.revoked(0)
}

func TestWhatIsLeftIsGivenUpAfterTheTimeAndRemovedWithTheCheckpoint(t *testing.T) {
	s := newSite(t)
	thing := &stubborn{remove: refusal()}
	s.script.set(karbor.Protect, karbor.VolumeType, thing.hooks())
	cp := s.until(s.protect(s.plan(volume("v1"))))
	s.stop()
	s.ahead = 2 * time.Hour // past the harness's time for leftovers
	s.restart()
	s.poll(func() bool { l := s.leftovers(cp.ID); return len(l) == 1 && l[0].GivenUp })
	s.revoked(0)
	thing.set(nil)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return len(s.leftovers(cp.ID)) == 0 })
	if thing.left() {
		t.Error("it is left in the cloud")
	}
	s.revoked(0)
}

func TestOperationThatLosesItsEngineLeavesALedger(t *testing.T) {
	s := newSite(t)
	thing, begun := &stubborn{}, make(chan struct{})
	hooks := thing.hooks()
	main := hooks.Main
	hooks.Main = func(ctx context.Context, c *protection.Call) error {
		_ = main(ctx, c)
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	s.script.set(karbor.Protect, karbor.VolumeType, hooks)
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	op, err := s.store.OperationOf(t.Context(), projectID, store.Target{CheckpointID: id})
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.over = op.ID
	s.restart()
	cp := s.until(id)
	if l := s.leftovers(id); cp.Status != karbor.CheckpointError || len(l) != 1 {
		t.Errorf("the checkpoint is %s, the ledger holds %+v", cp.Status, l)
	}
}

func TestUndoLooksAgainForWhatTheCloudMayStillMake(t *testing.T) {
	s := newSite(t)
	s.settle = 1500 * time.Millisecond
	s.stop()
	s.restart()
	looks := make(chan time.Time, 100)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			looks <- time.Now() // before the settling time begins
			if err := c.Intents.Begin(ctx, "snapshot"); err != nil {
				return err
			}
			return karbor.Errorf(karbor.Invalid, "the answer was lost")
		},
		Undo: func(context.Context, *protection.Call) error {
			looks <- time.Now()
			return nil
		},
	})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	close(looks)
	var all []time.Time
	for at := range looks {
		all = append(all, at)
	}
	if n := len(all); n < 2 || all[n-1].Sub(all[0]) < s.settle {
		t.Errorf("Undo looked at %v", all)
	}
	if reason := cp.Reasons["OS::Cinder::Volume#v1"]; strings.Contains(reason, "could not be removed") {
		t.Errorf("the reason is %q", reason)
	}
}

// TestWhatAWholeCheckpointLeavesIsRemovedLater has a hook that keeps all bytes, and can't remove what it made for a while.
func TestWhatAWholeCheckpointLeavesIsRemovedLater(t *testing.T) {
	s := newSite(t)
	var swept atomic.Int32
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			return c.Hold(ctx, protection.Holding{Kind: protection.HeldVolume, ID: "temporary", GiB: 1})
		},
		Undo: func(context.Context, *protection.Call) error {
			return karbor.Errorf(karbor.Internal, "nothing is undone")
		},
		Sweep: func(ctx context.Context, c *protection.Call) error {
			swept.Add(1)
			return c.Release(ctx, protection.HeldVolume, "temporary")
		},
	})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	if cp.Status != karbor.CheckpointAvailable {
		t.Fatalf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if l := s.leftovers(cp.ID); len(l) != 1 || l[0].GivenUp {
		t.Fatalf("the ledger holds %+v", l)
	}
	now, err := s.store.HeldNow(t.Context(), store.HoldingFilter{})
	if err != nil || now[protection.HeldVolume].Number != 1 {
		t.Errorf("of temporary volumes there are %+v, %v", now, err)
	}
	s.stop()
	s.ahead = 2 * time.Hour
	s.restart()
	s.poll(func() bool { return len(s.leftovers(cp.ID)) == 0 })
	if now, err = s.store.HeldNow(t.Context(), store.HoldingFilter{}); err != nil || now[protection.HeldVolume].Number != 0 || swept.Load() != 1 {
		t.Errorf("swept %d times, of temporary volumes there are %+v, %v", swept.Load(), now, err)
	}
	if again := s.checkpointOf(cp.ID); again.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s", again.Status)
	}
}
