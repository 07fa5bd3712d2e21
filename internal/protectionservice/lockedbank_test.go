package protectionservice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
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

func TestACheckpointThatCouldNotBeMadeOnABankThatLocksAllIsNoTroubleOfTheOperators(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: keeping()})
	s.locked.Store(int64(time.Hour))
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	if cp.Status != karbor.CheckpointError || cp.Size != 1000 {
		t.Fatalf("the checkpoint is %s with %d bytes", cp.Status, cp.Size)
	}
	told := false
	for line := range strings.Lines(s.logs.String()) {
		if strings.Contains(line, "stays in its bank until it is deleted") {
			told = true
			if !strings.Contains(line, "level=INFO") {
				t.Error(line)
			}
		}
	}
	if !told {
		t.Error("nobody is told that it stays")
	}
}
