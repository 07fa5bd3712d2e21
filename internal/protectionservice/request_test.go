package protectionservice_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// ask keeps a request as karbord operation does, and gives the answer.
func (s *site) ask(id string, kind store.RequestKind, reason string) string {
	s.t.Helper()
	r := store.Request{OperationID: id, Kind: kind, Reason: reason}
	if err := s.store.AskOperation(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
	var answer string
	s.poll(func() bool {
		got, err := s.store.OperationRequest(s.t.Context(), id, kind)
		if err != nil {
			s.t.Fatal(err)
		}
		answer = got.Answer
		return !got.AnsweredAt.IsZero()
	})
	return answer
}

// hanging gives a site whose clock is ahead, with a protect whose hook heeds nobody until
// the gate is closed.
func hanging(t *testing.T, ahead time.Duration) (s *site, checkpoint string, thing *stubborn, gate chan struct{}) {
	t.Helper()
	s = newSite(t)
	begun := make(chan struct{}, 10)
	gate = make(chan struct{})
	thing = &stubborn{there: true}
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			begun <- struct{}{}
			<-gate
			return nil
		},
		Undo: func(context.Context, *protection.Call) error {
			thing.mu.Lock()
			defer thing.mu.Unlock()
			thing.there = false
			return nil
		},
	})
	s.stop()
	s.ahead = ahead
	s.start()
	s.usable()
	checkpoint = s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	return s, checkpoint, thing, gate
}

const hangs = "ended by the operator: the hook hangs"

func TestAnOperationThatHangsIsEndedAsItLies(t *testing.T) {
	s, id, thing, gate := hanging(t, time.Hour) // the grace is over at once
	if got := s.ask(s.operation(id).ID, store.FailRequest, hangs); got != "the operation was ended as it lay" {
		t.Errorf("the answer is %q", got)
	}
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.HasPrefix(cp.Reasons["OS::Cinder::Volume#v1"], hangs) {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if len(s.leftovers(id)) != 1 || !thing.left() {
		t.Errorf("the ledger has %+v", s.leftovers(id))
	}
	close(gate)
	s.stop()
	s.ahead = 2 * time.Hour
	s.start() // what is left is looked for at the start
	s.poll(func() bool { return len(s.leftovers(id)) == 0 && !thing.left() })
}

func TestAnOperationThatIsToBeFailedMayComeToItsEndBefore(t *testing.T) {
	s, id, thing, gate := hanging(t, -time.Hour) // the grace is never over
	op := s.operation(id).ID
	if err := s.store.AskOperation(t.Context(), store.Request{OperationID: op, Kind: store.FailRequest, Reason: hangs}); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return s.operation(id).State == protectionservice.OperationStopping })
	if cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id); err != nil || cp.Status != karbor.CheckpointProtecting {
		t.Errorf("while it stops the checkpoint is %s, %v", cp.Status, err)
	}
	close(gate)
	if cp := s.until(id); cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != hangs {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if got := s.failed(op); got != "the operation is over" || thing.left() {
		t.Errorf("the answer is %q, left: %v", got, thing.left())
	}
}

// failed gives the answer to the request to fail an operation, once there is one.
func (s *site) failed(id string) (answer string) {
	s.t.Helper()
	s.poll(func() bool {
		got, err := s.store.OperationRequest(s.t.Context(), id, store.FailRequest)
		if err != nil {
			s.t.Fatal(err)
		}
		answer = got.Answer
		return !got.AnsweredAt.IsZero()
	})
	return answer
}

func TestAFailedDeleteThatNeedsNoCloudIsTriedAgainByTheOperator(t *testing.T) {
	s := newSite(t)
	fails := protection.Hooks{Offline: true, Main: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Forbidden, "the bank lets nothing go")
	}}
	s.script.set(karbor.Delete, karbor.VolumeType, fails)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	made := s.operation(cp.ID).ID
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	if cp = s.until(cp.ID); cp.Status != karbor.CheckpointErrorDeleting {
		t.Fatalf("the checkpoint is %s", cp.Status)
	}
	failed := s.operation(cp.ID).ID
	if got := s.ask(made, store.RetryRequest, "again"); !strings.HasPrefix(got, "refused: a protect can't be tried again without the tenant") {
		t.Errorf("the retry of a protect is answered with %q", got)
	}
	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Main: s.script.note("delete")})
	if got := s.ask(failed, store.RetryRequest, "again"); !strings.HasPrefix(got, "refused: it needs the cloud of the tenant") {
		t.Errorf("the retry of what needs the cloud is answered with %q", got)
	}
	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Offline: true, Main: s.script.note("delete")})
	if got := s.ask(failed, store.RetryRequest, "again"); !strings.HasPrefix(got, "accepted as operation ") {
		t.Fatalf("the retry is answered with %q", got)
	}
	if cp = s.until(cp.ID); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("the checkpoint is %s", cp.Status)
	}
}

func TestAFailedVerificationIsTriedAgainByTheOperator(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.NotFound, "it has gone")
	}})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	v, err := s.service.Verify(t.Context(), s.caller(), protectionservice.VerifyRequest{ProviderID: providerID, CheckpointID: cp.ID})
	if err != nil {
		t.Fatal(err)
	}
	over := func(id string) bool { return s.operation(id).State == protectionservice.OperationOver }
	s.poll(func() bool { return over(v.ID) })
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: s.script.note("verify")})
	again, ok := strings.CutPrefix(s.ask(v.ID, store.RetryRequest, "again"), "accepted as operation ")
	if !ok {
		t.Fatalf("it is answered with %q", again)
	}
	s.poll(func() bool { return over(again) })
	if o := s.operation(again); o.Status != karbor.LogSuccess {
		t.Errorf("it ended as %s: %s", o.Status, o.ErrorInfo)
	}
}
