package upkeep_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

// looking has the bank looked at for some days, an hour each.
func (s *site) looking(days int) {
	s.t.Helper()
	policy := upkeep.Policy{Off: true, Verify: upkeep.Verify{Every: 30 * 24 * time.Hour, For: 10 * time.Minute, Depth: verification.Quick}}
	_, stop := s.keeper(upkeep.Options{Policy: policy, States: s.states})
	time.Sleep(time.Duration(days)*24*time.Hour - 12*time.Hour)
	stop()
}

// faulty is a bank that can't give what fails says.
type faulty struct {
	bank.Bank
	fails func(key string) bool
}

func (f faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if f.fails(key) {
		return nil, karbor.Errorf(karbor.Internal, "it is archived")
	}
	return f.Bank.Get(ctx, key, offset, length)
}

func TestACheckpointThatCantBeLookedAtKeepsNoOtherFromIt(t *testing.T) {
	for name, part := range map[string]string{"its list": "/contents/", "its state": "v1/states/"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, broken := banktest.NewMemory(), new(atomic.Bool)
				s := newSite(t, faulty{memory, func(key string) bool {
					return broken.Load() && strings.Contains(key, part) && strings.Contains(key, id(1))
				}}, keyring.NewKey())
				s.memory = memory
				defer s.close()
				for n := range byte(3) {
					s.protect(n + 1)
				}
				for key := range memory.Snapshot() {
					if strings.Contains(key, id(3)) && strings.HasSuffix(key, "/manifest") {
						must(t, memory.Delete(t.Context(), key))
					}
				}
				broken.Store(true)
				s.looking(2)
				if s.log.count("checkpoints=2 lost=1 unlisted=0 closed=0 failed=1 all=false") != 2 || s.log.count("could not be compared") != 2 ||
					s.log.count("has lost an object") != 2 {
					t.Errorf("it is not passed over, or not told:\n%s", s.log.text.String())
				}
			})
		})
	}
}

func TestALookEndsAtABankThatGivesNothingAndGoesOnBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, broken := banktest.NewMemory(), new(atomic.Bool)
		s := newSite(t, faulty{memory, func(key string) bool { return broken.Load() && strings.Contains(key, "/contents/") }}, keyring.NewKey())
		s.memory = memory
		defer s.close()
		for n := range byte(12) {
			s.protect(n + 1)
		}
		broken.Store(true)
		s.looking(2)
		if s.log.count("10 checkpoints one after another could not be looked at") != 1 || s.log.count("failed=10 all=false") != 1 ||
			s.log.count("failed=2 all=false") != 1 {
			t.Errorf("it does not end, or begins where it was:\n%s", s.log.text.String())
		}
	})
}

// tardy is a bank that takes minutes for each state.
type tardy struct {
	bank.Bank
	slow *atomic.Bool
}

func (s tardy) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if s.slow.Load() && strings.HasPrefix(key, "v1/states/") {
		time.Sleep(11 * time.Minute)
	}
	return s.Bank.Get(ctx, key, offset, length)
}

// TestALookGetsOnHoweverSlowTheBankIs: a state alone takes longer than the share.
func TestALookGetsOnHoweverSlowTheBankIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, slow := banktest.NewMemory(), new(atomic.Bool)
		s := newSite(t, tardy{memory, slow}, keyring.NewKey())
		s.memory = memory
		defer s.close()
		for n := range byte(3) {
			s.protect(n + 1)
		}
		for key := range memory.Snapshot() {
			if strings.Contains(key, id(3)) && strings.HasSuffix(key, "/manifest") {
				must(t, memory.Delete(t.Context(), key))
			}
		}
		slow.Store(true)
		s.looking(3)
		if s.log.count("checkpoints=1 lost=0") != 2 || s.log.count("has lost an object") != 1 {
			t.Errorf("it does not get on:\n%s", s.log.text.String())
		}
	})
}

func TestALookGoesOnWhereItWasOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, slow := banktest.NewMemory(), new(atomic.Bool)
		s := newSite(t, tardy{memory, slow}, keyring.NewKey())
		s.memory, s.states = memory, t.TempDir()
		defer s.close()
		for n := range byte(3) {
			s.protect(n + 1)
		}
		for key := range memory.Snapshot() {
			if strings.Contains(key, id(3)) && strings.HasSuffix(key, "/manifest") {
				must(t, memory.Delete(t.Context(), key))
			}
		}
		slow.Store(true)
		for range 3 { // processes: each has half a day, so that every other one begins a share
			s.looking(1)
			s.looking(1)
		}
		if s.log.count("were compared with their lists") != 3 || s.log.count("has lost an object") != 1 {
			t.Errorf("it begins anew, or a day has two shares:\n%s", s.log.text.String())
		}
	})
}

func TestALookTellsOfHowManyCheckpointsNobodyKnowsWhatTheyHaveLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil, "")
		defer s.close()
		s.protect(1)
		closed := s.checkpoints
		var err error
		s.checkpoints, err = checkpoint.Open(t.Context(), s.bank, checkpoint.Options{Owner: "sealing", Sealer: s.domains, Now: time.Now})
		must(t, err)
		s.protect(2)
		must(t, s.checkpoints.CreateAvailable(t.Context(), karbor.Checkpoint{ID: id(3), ProjectID: project, ProviderID: "provider", Graph: &karbor.Graph{},
			Plan: karbor.PlanRecord{ID: "plan", Name: "plan", ProviderID: "provider"}, CreatedAt: time.Now().UTC()}, checkpoint.Change{}))
		s.checkpoints = closed
		s.looking(1)
		if s.log.count("checkpoints=1 lost=0 unlisted=1 closed=1 failed=0 all=true") != 1 {
			t.Errorf("it is not told:\n%s", s.log.text.String())
		}
	})
}
