package upkeep_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/session"
	"github.com/karbor/karbor/internal/repository/verification"
)

func TestSpaceOfADeletedCheckpointComesBackWithinTwoLeasePeriods(t *testing.T) {
	for name, told := range map[string]bool{"told": true, "found": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil, "")
				defer s.close()
				other := newSite(t, s.memory, s.key) // with a session that lives
				defer other.close()
				s.protect(1)
				s.protect(2)
				other.protect(3)
				k, stop := s.keeper(upkeep.Options{})
				defer stop()
				// A writer that has died just now.
				_, err := session.Open(t.Context(), s.memory, project, session.Options{Now: time.Now})
				must(t, err)
				time.Sleep(time.Second)
				s.remove(1)
				if told {
					k.Freed(project)
				}
				time.Sleep(2 * lease)
				synctest.Wait()
				if n := s.stored(); n < 2*one || n > 2*one+one/2 {
					t.Errorf("%d bytes are stored, and %d are needed:\n%s", n, 2*one, s.log.text.String())
				}
				for _, n := range []byte{2, 3} {
					if err := s.reads(n); err != nil {
						t.Errorf("checkpoint %d: %v", n, err)
					}
				}
			})
		})
	}
}

// TestDeletionInANewDomainIsCollectedAtOnce: nobody has looked since it was made.
func TestDeletionInANewDomainIsCollectedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		k, stop := s.keeper(upkeep.Options{})
		defer stop()
		time.Sleep(time.Second)
		s.protect(1)
		s.remove(1)
		k.Freed(project)
		time.Sleep(upkeep.DefaultAfter + time.Minute)
		if s.log.count("was collected") != 1 {
			t.Errorf("it was not collected, or too often:\n%s", s.log.text.String())
		}
		time.Sleep(2 * lease)
		if n := s.stored(); n != 0 {
			t.Errorf("%d bytes are left:\n%s", n, s.log.text.String())
		}
	})
}

func TestDeletionBeforeARestartIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		s.protect(1)
		time.Sleep(time.Hour)
		s.remove(1)
		s.close()
		time.Sleep(time.Minute)
		again := newSite(t, s.memory, s.key)
		defer again.close()
		_, stop := again.keeper(upkeep.Options{})
		defer stop()
		time.Sleep(2 * lease)
		if n := s.stored(); n != 0 {
			t.Errorf("%d bytes are left:\n%s", n, again.log.text.String())
		}
	})
}

// TestDamagedEpochIsReplacedSoon: as long as it is there, nobody can begin to write.
func TestDamagedEpochIsReplacedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		s.protect(1)
		s.close()
		must(t, s.memory.Create(t.Context(), session.EpochKey(project, 1), strings.NewReader("{}"), 2))
		again := newSite(t, s.memory, s.key)
		defer again.close()
		if _, err := session.Open(t.Context(), s.memory, project, session.Options{Now: time.Now}); err == nil {
			t.Fatal("a session can be opened")
		}
		_, stop := again.keeper(upkeep.Options{})
		defer stop()
		time.Sleep(time.Minute)
		again.protect(2)
		for _, n := range []byte{1, 2} {
			if err := again.reads(n); err != nil {
				t.Errorf("checkpoint %d: %v", n, err)
			}
		}
	})
}

func TestBankInWhichNothingIsDeletedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		s.protect(1)
		s.protect(2)
		_, stop := s.keeper(upkeep.Options{})
		defer stop()
		time.Sleep(20 * time.Hour)
		if s.log.count("was collected") != 0 {
			t.Errorf("it was collected:\n%s", s.log.text.String())
		}
		s.remove(1)
		time.Sleep(72 * time.Hour)
		if n := s.epochs(); n != 1 || s.log.count("was collected") > 5 {
			t.Errorf("%d epochs:\n%s", n, s.log.text.String())
		}
		if err := s.reads(2); err != nil {
			t.Error(err)
		}
	})
}

func TestHoursAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		s.protect(1)
		hours, err := upkeep.ParseHours("20:00-06:00", "") // it is midnight
		must(t, err)
		time.Sleep(7 * time.Hour)
		k, stop := s.keeper(upkeep.Options{Policy: upkeep.Policy{Hours: hours}})
		defer stop()
		s.remove(1)
		k.Freed(project)
		time.Sleep(12 * time.Hour)
		if s.stored() == 0 {
			t.Error("it was collected outside its hours")
		}
		time.Sleep(time.Hour + 2*lease)
		if s.stored() != 0 {
			t.Errorf("it was not collected within its hours:\n%s", s.log.text.String())
		}
	})
}

// apart is a bank on which two racing creates may both win.
type apart struct{ bank.Bank }

func (a apart) Traits() bank.Traits {
	traits := a.Bank.Traits()
	traits.AtomicCreate = false
	return traits
}

func TestBankOnWhichTwoCollectorsCouldBeAtWorkNeedsThePolicyToSayOnly(t *testing.T) {
	for name, policy := range map[string]upkeep.Policy{"nothing said": {}, "only": {Only: true}, "only, and off": {Only: true, Off: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := banktest.NewMemory()
				s := newSite(t, apart{memory}, keyring.NewKey())
				s.memory = memory
				defer s.close()
				s.protect(1)
				time.Sleep(time.Hour)
				s.remove(1)
				_, stop := s.keeper(upkeep.Options{Policy: policy})
				defer stop()
				time.Sleep(3 * lease)
				if collected := s.stored() == 0; collected != (policy.Only && !policy.Off) {
					t.Errorf("collected: %v\n%s", collected, s.log.text.String())
				}
				if warned := s.log.count("only one"); warned > 1 || (warned == 1) != !policy.Only {
					t.Errorf("warned %d times", warned)
				}
			})
		})
	}
}

func TestDamageStopsTheCollectionAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		s.protect(1)
		s.protect(2)
		time.Sleep(time.Hour)
		for key := range s.memory.Snapshot() {
			if strings.Contains(key, id(2)) && strings.HasSuffix(key, "/manifest") {
				must(t, s.memory.Put(t.Context(), key, strings.NewReader("{"), 1))
			}
		}
		s.remove(1)
		_, stop := s.keeper(upkeep.Options{})
		defer stop()
		time.Sleep(12 * time.Hour)
		if s.stored() < 2*one || s.log.count("level=ERROR") != 1 {
			t.Errorf("%d bytes are left:\n%s", s.stored(), s.log.text.String())
		}
	})
}

// TestVerifiedSharesAreDatedAndGoOnAfterARestart: each day some is verified, what was found good is
// not looked at again before its time, and what is damaged is mended from a copy.
func TestVerifiedSharesAreDatedAndGoOnAfterARestart(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		for n := range byte(6) {
			s.protect(n + 1)
		}
		backup := banktest.NewMemory()
		for key, text := range s.memory.Snapshot() {
			must(t, backup.Create(t.Context(), key, strings.NewReader(text), int64(len(text))))
		}
		policy := upkeep.Policy{Off: true, Verify: upkeep.Verify{Every: 30 * 24 * time.Hour, For: 50 * time.Second, Depth: verification.Stored, BytesPerSecond: 20_000}}
		o := upkeep.Options{Policy: policy, States: folder, Copies: []bank.Bank{backup}}
		_, stop := s.keeper(o)
		time.Sleep(time.Hour)
		stop()
		s.close()
		if s.log.count("was verified") == 0 || strings.Contains(s.log.text.String(), "left=0") {
			t.Errorf("the first share:\n%s", s.log.text.String())
		}
		for key, text := range s.memory.Snapshot() {
			if strings.Contains(key, "/packs/") {
				must(t, s.memory.Put(t.Context(), key, strings.NewReader("x"+text[1:]), int64(len(text))))
			}
		}
		again := newSite(t, s.memory, s.key)
		defer again.close()
		_, stop = again.keeper(o)
		time.Sleep(time.Hour)
		if again.log.count("was verified") != 0 {
			t.Errorf("two shares in one day:\n%s", again.log.text.String())
		}
		time.Sleep(10 * 24 * time.Hour)
		stop()
		text := again.log.text.String()
		if !strings.Contains(text, "left=0") || again.log.count("mended=true") == 0 || again.log.count("mended=true") >= 6 {
			t.Errorf("what was verified the day before is looked at again, or the rest is not mended:\n%s", text)
		}
	})
}

func TestWhatACheckpointHasLostWholeIsToldEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		for n := range byte(3) {
			s.protect(n + 1)
		}
		for key := range s.memory.Snapshot() {
			if strings.Contains(key, id(2)) && strings.HasSuffix(key, "/manifest") {
				must(t, s.memory.Delete(t.Context(), key))
			}
		}
		policy := upkeep.Policy{Off: true, Verify: upkeep.Verify{Every: 30 * 24 * time.Hour, For: time.Hour, Depth: verification.Quick}}
		_, stop := s.keeper(upkeep.Options{Policy: policy})
		time.Sleep(25 * time.Hour)
		stop()
		if n := s.log.count("has lost an object"); n != 2 || s.log.count("checkpoint="+id(2)) != 2 || s.log.count("checkpoints=3 lost=1 unlisted=0 closed=0 failed=0 all=true") != 2 {
			t.Errorf("it was told %d times in two days:\n%s", n, s.log.text.String())
		}
	})
}

func TestAShareOfTheCheckpointsIsLookedAtAndTheRestTheNextDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := banktest.NewMemory()
		s := newSite(t, slow{memory}, keyring.NewKey())
		s.memory = memory
		defer s.close()
		for n := range byte(3) {
			s.protect(n + 1)
		}
		policy := upkeep.Policy{Off: true, Verify: upkeep.Verify{Every: 30 * 24 * time.Hour, For: 10 * time.Minute, Depth: verification.Quick}}
		_, stop := s.keeper(upkeep.Options{Policy: policy})
		time.Sleep(50 * time.Hour)
		stop()
		if s.log.count("checkpoints=2 lost=0 unlisted=0 closed=0 failed=0 all=false") == 0 || s.log.count("checkpoints=1 lost=0 unlisted=0 closed=0 failed=0 all=true") == 0 {
			t.Errorf("it does not go on where it was:\n%s", s.log.text.String())
		}
	})
}

// slow is a bank that takes minutes to give a list of contents.
type slow struct{ bank.Bank }

func (s slow) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.Contains(key, "/contents/") {
		time.Sleep(6 * time.Minute)
	}
	return s.Bank.Get(ctx, key, offset, length)
}
