package protectionservice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// bankLock gives how the bank has locked a checkpoint.
func (s *site) bankLock(id string) store.BankLock {
	s.t.Helper()
	found, err := s.store.Locks(s.t.Context(), providerID, []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	return found[id]
}

func TestWhatIsHeldIsLockedInTheBankAndStaysSoBeyondItsRelease(t *testing.T) {
	s := newSite(t)
	s.keep()
	s.bank.SetLocks(24 * time.Hour)
	cp, free := s.until(s.protect(s.plan(volume("v1")))), s.until(s.protect(s.plan(volume("v2"))))
	began := time.Now()
	if _, err := s.service.HoldCheckpoint(t.Context(), s.caller(), providerID, cp.ID, "audit", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return !s.bankLock(cp.ID).TriedAt.IsZero() })
	lock := s.bankLock(cp.ID)
	if lock.Reason != "" || lock.Objects < 3 || lock.Until.Before(began.Add(24*time.Hour-time.Second)) || lock.Until.After(time.Now().Add(24*time.Hour)) {
		t.Errorf("the lock is %+v", lock)
	}
	for key := range s.bank.Snapshot() {
		until, err := s.bank.LockedUntil(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if mine := strings.HasPrefix(key, "v1/checkpoints/") && strings.Contains(key, cp.ID); mine != !until.IsZero() && !strings.Contains(key, "/states/") {
			t.Errorf("%s is locked until %v", key, until)
		}
	}
	if _, err := s.service.ReleaseCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(cp.ID, s.delete(cp.ID), "locked", "until")
	if err := s.delete(free.ID); err != nil {
		t.Error(err)
	}
	s.bank.SetNow(func() time.Time { return time.Now().Add(25 * time.Hour) })
	if err := s.delete(cp.ID); err != nil {
		t.Error(err)
	}
}

func TestALockEndsWithItsHoldAndIsLengthenedWithIt(t *testing.T) {
	s := newSite(t)
	s.keep()
	s.bank.SetLocks(24 * time.Hour)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	soon := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	hold := func(until time.Time) {
		t.Helper()
		if _, err := s.service.HoldCheckpoint(t.Context(), s.caller(), providerID, cp.ID, "audit", until); err != nil {
			t.Fatal(err)
		}
	}
	hold(soon)
	s.poll(func() bool { return s.bankLock(cp.ID).Until.Equal(soon) })
	hold(soon.Add(time.Hour))
	s.poll(func() bool { return s.bankLock(cp.ID).Until.Equal(soon.Add(time.Hour)) })
	hold(soon) // a shorter hold shortens no lock
	s.bank.SetNow(func() time.Time { return time.Now().Add(30 * time.Hour) })
	hold(time.Time{})
	s.poll(func() bool { return s.bankLock(cp.ID).Until.After(time.Now().Add(53 * time.Hour)) })
}

func TestABankThatDoesNotLockNowIsAskedAgainAndSaysWhy(t *testing.T) {
	s := newSite(t)
	s.keep()
	s.bank.SetLocks(24 * time.Hour)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	for key := range s.bank.Snapshot() {
		if strings.HasSuffix(key, "/description") {
			if err := s.bank.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.service.HoldCheckpoint(t.Context(), s.caller(), providerID, cp.ID, "audit", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return s.bankLock(cp.ID).Reason != "" })
	if lock := s.bankLock(cp.ID); !lock.Until.IsZero() || lock.Objects != 0 || karbor.KindOf(s.delete(cp.ID)) != karbor.Conflict {
		t.Errorf("the lock is %+v", lock)
	}
}
