package protectionservice_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// counted gives a type hooks that count their runs.
func (s *site) counted(op karbor.OperationType, main protection.Hook) (runs, undone *atomic.Int32) {
	runs, undone = &atomic.Int32{}, &atomic.Int32{}
	s.script.set(op, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			runs.Add(1)
			if main == nil {
				return nil
			}
			return main(ctx, c)
		},
		Undo: func(context.Context, *protection.Call) error { undone.Add(1); return nil },
	})
	return runs, undone
}

// inBank gives the state of a checkpoint in its bank.
func (s *site) inBank(id string) karbor.CheckpointStatus {
	s.t.Helper()
	status, err := s.providers[0].Checkpoints().Status(s.t.Context(), projectID, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return status
}

// cut has an operation come to its end in the bank, and then to a stop: it is at the claim, and
// nothing of the end is in the database.
func (s *site) cut(id string, end karbor.CheckpointStatus) {
	s.t.Helper()
	arrives(s.t, s.atClaim)
	if is := s.inBank(id); is != end {
		s.t.Fatalf("in the bank, it is %s", is)
	}
}

// beginAnew ends the process, and has an operation begin anew from its rows, as an engine has it that
// has lost it.
func (s *site) beginAnew(op string) {
	s.t.Helper()
	s.stop()
	db := s.open()
	token, _, err := db.Journal().Acquire(s.t.Context(), "me", time.Minute)
	if err == nil {
		err = errors.Join(db.Rebuild(s.t.Context(), token, op), db.Journal().Release(s.t.Context(), token), db.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.holds.Store(false)
	s.start()
}

// overForTheEngine ends the process, and has the engine of the next one take an operation for over.
func (s *site) overForTheEngine(op string) {
	s.t.Helper()
	if err := s.store.Dispatched(s.t.Context(), op); err != nil {
		s.t.Fatal(err)
	}
	s.over = op
	s.restart()
}

func TestACheckpointThatIsInTheBankStaysWhateverBecomesOfTheEndOfItsOperation(t *testing.T) {
	for name, mishap := range map[string]func(s *site, id string){
		"the process dies":           func(s *site, _ string) { s.restart() },
		"the operation begins anew":  func(s *site, id string) { s.beginAnew(s.operation(id).ID) },
		"the engine is lost":         func(s *site, _ string) { s.lost = true; s.restart() },
		"it is over for the engine":  func(s *site, id string) { s.overForTheEngine(s.operation(id).ID) },
		"it is cancelled at its end": func(s *site, id string) { _ = s.cancel(id, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			runs, undone := s.counted(karbor.Protect, func(_ context.Context, c *protection.Call) error {
				c.Progress(7, 7)
				return nil
			})
			s.holds.Store(true)
			id := s.protect(s.plan(volume("v1"), volume("v2")))
			s.cut(id, karbor.CheckpointAvailable)
			mishap(s, id)
			s.holds.Store(false)
			cp := s.until(id)
			if cp.Status != karbor.CheckpointAvailable || cp.Size != 14 || s.inBank(id) != karbor.CheckpointAvailable {
				t.Errorf("it is %s of %d bytes (%v), in the bank %s", cp.Status, cp.Size, cp.Reasons, s.inBank(id))
			}
			if runs.Load() != 2 || undone.Load() > 0 {
				t.Errorf("the hooks ran %d times, and were undone %d times", runs.Load(), undone.Load())
			}
			l := s.log(t, id, karbor.Protect)
			if o := s.operation(id); o.Cancelled != "" || l.Status != "available" || l.ErrorInfo != "" {
				t.Errorf("the log ends %s (%s), cancelled: %q", l.Status, l.ErrorInfo, o.Cancelled)
			}
			s.revoked(0)
		})
	}
}

func TestACheckpointThatIsInTheBankIsNotUndoneWhereNobodyCouldAskTheBank(t *testing.T) {
	s := newSite(t)
	_, undone := s.counted(karbor.Protect, nil)
	s.holds.Store(true)
	id := s.protect(s.plan(volume("v1")))
	s.cut(id, karbor.CheckpointAvailable)
	op := s.operation(id).ID
	s.none = true // the file of its provider is gone for a while, and with it the way to the bank
	s.beginAnew(op)
	if cp := s.until(id); cp.Status != karbor.CheckpointError || len(s.leftovers(id)) != 1 {
		t.Fatalf("it is %s (%v)", cp.Status, cp.Reasons)
	}
	s.none, s.ahead = false, time.Hour/2
	s.restart()
	s.poll(func() bool { return len(s.leftovers(id)) == 0 })
	if undone.Load() > 0 || s.inBank(id) != karbor.CheckpointAvailable {
		t.Errorf("it was undone %d times, in the bank it is %s", undone.Load(), s.inBank(id))
	}
}

func TestACheckpointOfWhichSomethingWasUndoneIsInErrorThoughTheBankHadItAvailable(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		},
		Undo: func(ctx context.Context, c *protection.Call) error { // a process that was taken for dead comes back
			return s.providers[0].Checkpoints().SetState(ctx, projectID, c.CheckpointID, karbor.CheckpointAvailable, checkpoint.Change{})
		},
	})
	id := s.protect(s.plan(volume("v1")))
	if cp := s.until(id); cp.Status != karbor.CheckpointError || s.inBank(id) != karbor.CheckpointError {
		t.Errorf("it is %s, in the bank %s", cp.Status, s.inBank(id))
	}
}

func TestACheckpointIsMadeThoughTheBankKeepsItsClaim(t *testing.T) {
	for name, hooks := range map[string]bool{"with hooks": true, "without hooks": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			undone := &atomic.Int32{}
			if hooks {
				_, undone = s.counted(karbor.Protect, nil)
			}
			s.refuses.Store(true) // a bank whose key may write, and not delete
			id := s.protect(s.plan(volume("v1")))
			if cp := s.until(id); cp.Status != karbor.CheckpointAvailable || undone.Load() > 0 {
				t.Errorf("it is %s (%v), and was undone %d times", cp.Status, cp.Reasons, undone.Load())
			}
			if !strings.Contains(s.logs.String(), "its claim stays in the bank for now") {
				t.Error("nobody is told of the claim")
			}
			s.refuses.Store(false) // the upkeep removes it
			s.poll(func() bool {
				owners, err := s.providers[0].Checkpoints().Owners(t.Context())
				return err == nil && len(owners) == 1 && len(owners[0].Claims) == 0
			})
		})
	}
}

func TestAFailureThatIsInTheBankKeepsItsReasonWhenTheOperationBeginsAnew(t *testing.T) {
	for name, reason := range map[string]struct {
		main protection.Hook
		want string
	}{
		"a hook failed": {func(context.Context, *protection.Call) error {
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		}, `volume "v-v1" (v1): there is no room`},
		"it was cancelled": {nil, "cancelled by ada"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			main, begun := reason.main, (<-chan struct{})(nil)
			if main == nil {
				main, begun = blocked()
			}
			runs, undone := s.counted(karbor.Protect, main)
			s.holds.Store(true)
			id := s.protect(s.plan(volume("v1")))
			if begun != nil {
				arrives(t, begun)
				if err := s.cancel(id, ""); err != nil {
					t.Fatal(err)
				}
			}
			s.cut(id, karbor.CheckpointError)
			s.beginAnew(s.operation(id).ID)
			cp, l := s.until(id), s.log(t, id, karbor.Protect)
			if cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != reason.want || l.ErrorInfo != reason.want {
				t.Errorf("it is %s (%v), and its log says %q", cp.Status, cp.Reasons, l.ErrorInfo)
			}
			if runs.Load() != 1 || undone.Load() == 0 {
				t.Errorf("the hook ran %d times, and was undone %d times", runs.Load(), undone.Load())
			}
		})
	}
}

func TestADeletionThatIsInTheBankIsOverWhateverBecomesOfTheEndOfItsOperation(t *testing.T) {
	for name, mishap := range map[string]func(s *site, op string){
		"the process dies":           func(s *site, _ string) { s.restart() },
		"the operation begins anew":  func(s *site, op string) { s.beginAnew(op) },
		"the engine is lost":         func(s *site, _ string) { s.lost = true; s.restart() },
		"it is over for the engine":  func(s *site, op string) { s.overForTheEngine(op) },
		"it is cancelled at its end": func(s *site, op string) { _ = s.cancel(op, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
				return c.Documents.CreateJSON(ctx, "metadata", map[string]string{"a": "b"})
			}})
			// Who deletes needs what is kept: without it, it can't be told what to delete.
			runs, _ := s.counted(karbor.Delete, func(ctx context.Context, c *protection.Call) error {
				var kept map[string]string
				return c.Documents.GetJSON(ctx, "metadata", &kept)
			})
			id := s.protect(s.plan(volume("v1")))
			s.until(id)
			s.holds.Store(true)
			if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
				t.Fatal(err)
			}
			s.cut(id, karbor.CheckpointDeleted)
			mishap(s, s.operation(id).ID)
			s.holds.Store(false)
			cp, l := s.until(id), s.log(t, id, karbor.Delete)
			if cp.Status != karbor.CheckpointDeleted || l.Status != "deleted" || runs.Load() != 1 {
				t.Errorf("it is %s (%v), the log ends %s (%s), and the hook ran %d times", cp.Status, cp.Reasons, l.Status, l.ErrorInfo, runs.Load())
			}
		})
	}
}

func TestABankThatDoesNotAnswerAtTheEndIsGivenUpAfterLong(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	s.deaf.Store(true)
	// What was tried before, when the database did not answer, say, does not count.
	for look := range flow.Patience {
		err := s.service.Actions()[flow.End](t.Context(), &workflow.Task{Operation: s.operation(id).ID, Step: flow.End, Attempt: 1000 + look})
		if passes := look+1 < flow.Patience; err == nil || karbor.IsTransient(err) != passes {
			t.Errorf("look %d ends with %v, which may pass: %v", look+1, err, karbor.IsTransient(err))
		}
	}
	s.deaf.Store(false)
}

func TestACopyThatIsWholeInItsBankIsNotMadeAgainWhenItsRequestBeginsAnew(t *testing.T) {
	for name, mishap := range map[string]func(s *site, op string){
		"the operation begins anew":  func(s *site, op string) { s.beginAnew(op) },
		"it is cancelled at its end": func(s *site, op string) { _ = s.cancel(op, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := copies(t, "", false)
			plan := s.plan(volume("v1"))
			s.until(s.protect(plan))
			at := make(chan struct{}, 100)
			s.far.mu.Lock()
			s.far.removing = func(ctx context.Context, key string) { // the claim, behind the publication
				if strings.Contains(key, "/leases/") && strings.Contains(key, "@") {
					at <- struct{}{}
					<-ctx.Done()
				}
			}
			s.far.mu.Unlock()
			c := s.copy(plan)
			arrives(t, at)
			s.far.mu.Lock()
			s.far.removing = nil
			s.far.mu.Unlock()
			mishap(s, c.ID)
			s.untilCopied(c.ID)
			cp := s.checkpointOf(c.Checkpoints[0].CopyID)
			if cp.Status != karbor.CheckpointAvailable {
				t.Errorf("the copy is %s (%v)", cp.Status, cp.Reasons)
			}
		})
	}
}
