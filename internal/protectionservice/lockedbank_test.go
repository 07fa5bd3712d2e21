package protectionservice_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
)

func TestWhatTheBankHasLockedStaysWholeAndAvailable(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("v1"))))
	if len(s.held()) == 0 {
		t.Fatal("nothing is kept of it")
	}
	s.locked.Store(int64(time.Hour))
	before := len(s.bank.Snapshot())
	s.wantRefused(cp.ID, s.delete(cp.ID), "locked", "until")
	s.wantRefused(cp.ID, s.service.ForceDeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID, "now"), "locked")
	if after := len(s.bank.Snapshot()); after != before {
		t.Errorf("the bank had %d objects and has %d", before, after)
	}
	// The locks end; what is written from then on is locked, too.
	s.bank.SetNow(func() time.Time { return time.Now().Add(61 * time.Minute) })
	if err := s.delete(cp.ID); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(cp.ID); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
	}
}
