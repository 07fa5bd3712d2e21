package protectionservice_test

import (
	"context"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// keeping gives a Main hook that keeps some bytes of v1 in the bank, and fails v2 then. That of v1 ends well when its flow is
// being stopped already.
func keeping() protection.Hook {
	stored := make(chan struct{})
	return func(ctx context.Context, c *protection.Call) error {
		if c.Node.ID == "v2" {
			<-stored
			return karbor.Errorf(karbor.NotFound, "the volume has gone")
		}
		w, err := c.Data.Create(ctx, "data")
		if err != nil {
			return err
		}
		if _, err := w.Write(make([]byte, 1000)); err != nil {
			return err
		}
		if _, err := w.Commit(ctx); err != nil {
			return err
		}
		if err := c.Documents.CreateJSON(ctx, "metadata", "x"); err != nil {
			return err
		}
		c.Progress(1000, 1000)
		close(stored)
		<-ctx.Done() // its flow is stopped as v2 has failed
		return nil
	}
}

// held are the keys of the documents and data in the bank.
func (s *site) held() (keys []string) {
	for key := range s.bank.Snapshot() {
		if strings.Contains(key, "/nodes/") {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestCheckpointThatCouldNotBeMadeHoldsNothing(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: keeping()})
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	if cp.Status != karbor.CheckpointError || cp.Size != 0 {
		t.Fatalf("the checkpoint is %s with %d bytes", cp.Status, cp.Size)
	}
	if keys := s.held(); keys != nil {
		t.Errorf("the bank holds %v", keys)
	}
	err := s.service.ResetCheckpoint(t.Context(), s.caller(), providerID, cp.ID, karbor.CheckpointAvailable)
	if karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("making it available gave %v", err)
	}
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{})
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(cp.ID); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestWhatTheBankDoesNotLetGoCountsUntilItIsDeleted(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: keeping()})
	s.stuck.Store(true)
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	if cp.Status != karbor.CheckpointError || cp.Size != 1000 {
		t.Fatalf("the checkpoint is %s with %d bytes", cp.Status, cp.Size)
	}
	s.wantUsage("1+0", "1+0")
	s.stuck.Store(false)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	s.until(cp.ID)
	s.wantUsage("0+0", "0+0")
	if keys := s.held(); keys != nil {
		t.Errorf("the bank holds %v", keys)
	}
}
