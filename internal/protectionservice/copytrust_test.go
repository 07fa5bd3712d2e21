package protectionservice_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

// cancelVerification begins a verification of a checkpoint, and cancels it.
func (s *site) cancelVerification(id string) {
	s.t.Helper()
	begun := make(chan struct{})
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(ctx context.Context, _ *protection.Call) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	v := s.verify(id, nil)
	arrives(s.t, begun)
	if err := s.engine.Cancel(s.t.Context(), v.ID, "not wanted"); err != nil {
		s.t.Fatal(err)
	}
	s.untilVerified(v.ID)
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{})
}

func TestACancelledVerificationSaysNothingOfACheckpoint(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	s.untilCopied(s.copy(plan).ID)
	s.cancelVerification(original.ID)
	if r, _ := s.restored(original.ID); r.Status != karbor.RestoreSuccess || r.StandIn != nil {
		t.Errorf("nothing is wrong with it: %+v", r)
	}
	s.damage(original.ID)
	if v := s.untilVerified(s.verify(original.ID, nil).ID); v.Status != karbor.VerificationError {
		t.Fatalf("the damage is not found: %+v", v)
	}
	s.cancelVerification(original.ID)
	if r, _ := s.restored(original.ID); r.StandIn == nil || !strings.Contains(r.StandIn.Reason, "has found faults") {
		t.Errorf("it is damaged: %+v", r.StandIn)
	}
}

func TestACopyThatAnotherProcessHadStandInIsRead(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	made := s.untilCopied(s.copy(plan).ID).Checkpoints[0].CopyID
	var mu sync.Mutex
	read := ""
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		PrepareBegin: func(ctx context.Context, c *protection.Call) error {
			return s.store.StandIn(ctx, c.OperationID, karbor.StandIn{CheckpointID: made, Bank: "offsite", Reason: "it is gone"})
		},
		Main: func(_ context.Context, c *protection.Call) error {
			mu.Lock()
			defer mu.Unlock()
			read = c.CheckpointID
			return nil
		},
	})
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: original.ID})
	if err != nil {
		t.Fatal(err)
	}
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
		t.Errorf("it ended as %+v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	if read != made {
		t.Errorf("%s was read, and not the copy %s", read, made)
	}
}

func TestACopyThatServesARestoreMidStreamIsInUse(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	made := s.untilCopied(s.copy(plan).ID).Checkpoints[0].CopyID
	s.damage(original.ID)
	opened, proceed := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		r, err := c.Data.Open(ctx, "data")
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err := r.Read(make([]byte, 1)); err != nil {
			return err
		}
		close(opened)
		<-proceed
		return nil
	}})
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: original.ID})
	if err != nil {
		t.Fatal(err)
	}
	arrives(t, opened) // the look before the hooks reads no data, so it has not found the damage
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, made); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("deleting the copy that is read: %v", err)
	}
	close(proceed)
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
		t.Errorf("it ended as %+v", r)
	}
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, made); err != nil {
		t.Errorf("once nobody reads it: %v", err)
	}
	s.until(made)
}
