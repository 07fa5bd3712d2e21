package protectionservice_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// brief is a limit that is over soon.
const brief = 50 * time.Millisecond

// answered is a grace in which the database notes that a hook has returned, however busy the machine is: there is one try.
const answered = 2 * time.Second

func TestAPhaseThatGetsNoFurtherEndsItsOperationAndIsUndone(t *testing.T) {
	for phase, hooks := range map[string]func(protection.Hook) protection.Hooks{
		"prepare_begin":  func(h protection.Hook) protection.Hooks { return protection.Hooks{PrepareBegin: h} },
		"prepare_finish": func(h protection.Hook) protection.Hooks { return protection.Hooks{PrepareFinish: h} },
		"main":           func(h protection.Hook) protection.Hooks { return protection.Hooks{Main: h} },
		"complete":       func(h protection.Hook) protection.Hooks { return protection.Hooks{Complete: h} },
	} {
		t.Run(phase, func(t *testing.T) {
			s := newSite(t)
			s.phases = deadline.Limits{Prepare: brief, Main: brief, Complete: brief}
			s.restart()
			hang, begun := blocked()
			h := hooks(hang)
			undone := make(chan struct{}, 10)
			h.Undo = func(context.Context, *protection.Call) error { undone <- struct{}{}; return nil }
			s.script.set(karbor.Protect, karbor.VolumeType, h)
			cp := s.until(s.protect(s.plan(volume("v1"))))
			arrives(t, begun)
			arrives(t, undone)
			if want := "v1): it got no further in its phase " + phase + " for 50ms, and was ended"; cp.Status != karbor.CheckpointError ||
				!strings.HasSuffix(cp.Reasons["OS::Cinder::Volume#v1"], want) {
				t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
			}
			if len(begun) != 0 {
				t.Error("it was tried again")
			}
		})
	}
}

func TestAnUndoThatGetsNoFurtherIsLeftToTheLedger(t *testing.T) {
	s := newSite(t)
	s.phases = deadline.Limits{Undo: brief}
	s.restart()
	hang, _ := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Undo: hang, Main: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Forbidden, "no")
	}})
	id := s.protect(s.plan(volume("v1")))
	if cp := s.until(id); cp.Status != karbor.CheckpointError || len(s.leftovers(id)) != 1 {
		t.Errorf("the checkpoint is %s: %v; the ledger has %v", cp.Status, cp.Reasons, s.leftovers(id))
	}
}

func TestAVerificationThatGetsNoFurtherHasFoundNothing(t *testing.T) {
	s := newSite(t)
	s.phases = deadline.Limits{Main: brief}
	s.restart()
	hang, _ := blocked()
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: hang})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	v := s.untilVerified(s.verify(cp.ID, nil).ID)
	if v.Status != karbor.VerificationError || !strings.Contains(v.ResourcesReason["OS::Cinder::Volume#v1"], "no further in its phase main") {
		t.Errorf("the verification is %+v", v)
	}
	if kept, err := s.store.Keepings(t.Context(), providerID, []string{cp.ID}); err != nil || kept[cp.ID].LastVerified != nil {
		t.Errorf("the checkpoint tells of %+v, %v", kept, err)
	}
}

func TestAHookThatNeverReturnsHasItsOperationEndedAsItLies(t *testing.T) {
	s, id, _, gate := hanging(t, 0)
	close(gate)
	s.until(id)
	s.stop()
	s.phases = deadline.Limits{Main: brief, Grace: brief}
	s.start()
	s.usable()
	never, returned := make(chan struct{}), make(chan struct{})
	h := s.script.Hooks(karbor.Protect, karbor.VolumeType)
	h.Main = func(context.Context, *protection.Call) error { <-never; close(returned); return nil }
	s.script.set(karbor.Protect, karbor.VolumeType, h)
	id = s.protect(s.plan(volume("v1")))
	// Another service on the same database, whose clock is ahead, in place of the grace of what is asked.
	s.poll(func() bool {
		open, err := s.store.OpenRequests(t.Context(), 10)
		return err == nil && len(open) == 1
	})
	other := &site{t: t, dir: s.dir, bank: s.bank, authority: s.authority, script: s.script, lost: true, ahead: time.Hour}
	other.start()
	defer other.stop()
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], `ended by the service: volume "v-v1" (v1): it got no further in its phase main for 50ms, and was ended; `) {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if len(s.leftovers(id)) != 1 {
		t.Errorf("the ledger has %v", s.leftovers(id))
	}
	close(never)
	arrives(t, returned)
}

// stuckOnce has volumes protected by a hook that says when it has begun, and returns when it
// may; its Undo says that it runs, and ends when it may.
func stuckOnce(s *site) (begun, undoing chan struct{}, hook, undo func()) {
	begun, undoing = make(chan struct{}, 10), make(chan struct{}, 10)
	mayReturn, mayEnd := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			begun <- struct{}{}
			<-mayReturn
			return karbor.Errorf(karbor.Internal, "the bank is slow")
		},
		Undo: func(context.Context, *protection.Call) error {
			undoing <- struct{}{}
			<-mayEnd
			return nil
		},
	})
	hook, undo = sync.OnceFunc(func() { close(mayReturn) }), sync.OnceFunc(func() { close(mayEnd) })
	s.t.Cleanup(func() { hook(); undo() })
	return begun, undoing, hook, undo
}

func (s *site) askedToFail() {
	s.t.Helper()
	s.poll(func() bool {
		open, err := s.store.OpenRequests(s.t.Context(), 10)
		return err == nil && slices.ContainsFunc(open, func(r store.Request) bool { return r.Kind == store.FailRequest })
	})
}

func TestAHookThatNeverReturnsAndDoesHasWhatItMadeUndone(t *testing.T) {
	s := newSite(t)
	s.phases = deadline.Limits{Main: brief, Grace: answered}
	s.restart()
	begun, undoing, hook, undo := stuckOnce(s)
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	s.askedToFail()
	hook()
	arrives(t, undoing)
	r, err := s.store.OperationRequest(t.Context(), s.operation(id).ID, store.FailRequest)
	if err != nil || r.Answer != "the hook has returned" {
		t.Errorf("the request is %+v, %v", r, err)
	}
	undo()
	if cp := s.until(id); cp.Status != karbor.CheckpointError || len(s.leftovers(id)) != 0 {
		t.Errorf("the checkpoint is %s: %v; the ledger has %v", cp.Status, cp.Reasons, s.leftovers(id))
	}
}

func TestAHookThatNeverReturnsThoughItIsCancelledHasItsOperationEndedAsItLies(t *testing.T) {
	s := newSite(t)
	s.phases = deadline.Limits{Main: time.Second, Grace: brief}
	s.restart()
	begun, _, _, _ := stuckOnce(s)
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	if err := s.cancel(id, ""); err != nil {
		t.Fatal(err)
	}
	s.askedToFail()
	other := &site{t: t, dir: s.dir, bank: s.bank, authority: s.authority, script: s.script, lost: true, ahead: time.Hour}
	other.start()
	defer other.stop()
	if cp := s.until(id); cp.Status != karbor.CheckpointError || len(s.leftovers(id)) != 1 {
		t.Errorf("the checkpoint is %s: %v; the ledger has %v", cp.Status, cp.Reasons, s.leftovers(id))
	}
}
