package protectionservice_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

func TestALateLaneOfACopyEndsNothingThatAnotherMakes(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	gates := []chan error{make(chan error, 1), make(chan error, 1), make(chan error, 1)}
	entered := make(chan struct{}, 10)
	var n atomic.Int32
	s.far.set(func(key string) error {
		if !strings.HasSuffix(key, "/manifest") {
			return nil
		}
		if i := int(n.Add(1)) - 1; i < len(gates) {
			entered <- struct{}{}
			return <-gates[i]
		}
		return nil
	}, false)
	c := s.copy(plan)
	arrives(t, entered) // the engine's own attempt, which is dead from here on
	defer func() { gates[0] <- nil }()
	attempt := func(number int) chan error {
		over := make(chan error, 1)
		go func() {
			over <- s.service.Actions()[flow.Copy](t.Context(), &workflow.Task{
				Operation: c.ID, Step: "copy:offsite", Input: "offsite", Attempt: number, Progress: func(int64, int64) {},
			})
		}()
		arrives(t, entered)
		return over
	}
	late, last := attempt(2), attempt(3)
	gates[1] <- karbor.Errorf(karbor.Conflict, "the session has ended")
	if err := arrives(t, late); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("the late attempt ends with %v", err)
	}
	gates[2] <- nil
	err := arrives(t, last)
	if cp := s.checkpointOf(c.Checkpoints[0].CopyID); err != nil || cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the copy is %s (%v), %v", cp.Status, cp.Reasons, err)
	}
}

// hasty ends the process, and starts it with a time in which copies have to get further. The clock by
// which they do stands still until the bank hangs: a busy machine takes its time before.
func (s *site) hasty(phases deadline.Limits) {
	s.t.Helper()
	s.stop()
	s.phases = phases
	s.start()
	s.usable()
	now := s.now()
	s.still.Store(&now)
}

func TestACopyThatGetsNoFurtherIsEndedAndSoAreThoseBehindIt(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.until(s.protect(plan))
	var hung atomic.Int32
	s.far.mu.Lock()
	s.far.hanging = func(key string) bool {
		if !strings.HasSuffix(key, "/manifest") {
			return false
		}
		hung.Add(1)
		s.still.Store(nil)
		return true
	}
	s.far.mu.Unlock()
	s.hasty(deadline.Limits{Main: brief})
	c := s.untilCopied(s.copy(plan).ID)
	items, err := s.store.Copied(t.Context(), c.ID)
	if err != nil || c.Status != karbor.CopyError || len(items) != 2 || hung.Load() != 1 {
		t.Fatalf("the request is %s, its copies %+v, %v; the bank hung %d times", c.Status, items, err, hung.Load())
	}
	for _, item := range items {
		if item.Status != karbor.CopyError || item.Reason != "it got no further in its phase copy for 50ms, and was ended" {
			t.Errorf("a copy ended as %+v", item)
		}
	}
}

func TestACopyThatNeverReturnsHasItsOperationEndedAsItLiesUnlessItDoes(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	gate := make(chan struct{})
	s.far.set(func(key string) error {
		if strings.HasSuffix(key, "/manifest") {
			s.still.Store(nil)
			<-gate
		}
		return nil
	}, false)
	s.hasty(deadline.Limits{Main: brief, Grace: answered})
	c := s.copy(plan)
	s.askedToFail()
	close(gate)
	if c := s.untilCopied(c.ID); c.Status != karbor.CopyError {
		t.Errorf("the request is %s", c.Status)
	}
	if r, err := s.store.OperationRequest(t.Context(), c.ID, store.FailRequest); err != nil || r.Answer != "the copy has returned" ||
		!strings.Contains(r.Reason, "no further in its phase copy") {
		t.Errorf("the request to fail is %+v, %v", r, err)
	}
}
