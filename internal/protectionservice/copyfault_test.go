package protectionservice_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestACopyOfACheckpointThatHasLostAStreamFails(t *testing.T) {
	s := copies(t, "", false)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: stored([]byte(strings.Repeat("x", 20_000)))})
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	if original.Size != 20_000 {
		t.Fatalf("it counts %d bytes", original.Size)
	}
	for _, key := range s.objects(original.ID + "/nodes/") {
		if strings.HasSuffix(key, "/manifest") {
			if err := s.bank.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := s.untilCopied(s.copy(plan).ID)
	cp := s.checkpointOf(c.Checkpoints[0].CopyID)
	if c.Status != karbor.CopyError || cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons[""], "it has lost volume/v1/data/data/manifest") {
		t.Errorf("%+v: %+v", c, cp)
	}
}

func TestACopyThatWasWholeWhenItWasCancelledIsAvailable(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	reached := make(chan struct{})
	var once sync.Once
	// What is removed first is the claim, right after the copy was published.
	s.far.mu.Lock()
	s.far.removing = func(ctx context.Context, _ string) {
		once.Do(func() {
			close(reached)
			<-ctx.Done()
		})
	}
	s.far.mu.Unlock()
	c := s.copy(plan)
	arrives(t, reached)
	if err := s.engine.Cancel(t.Context(), c.ID, "not wanted"); err != nil {
		t.Fatal(err)
	}
	s.untilCopied(c.ID)
	cp := s.checkpointOf(c.Checkpoints[0].CopyID)
	progress, err := s.service.CopyProgress(t.Context(), c)
	if err != nil || cp.Status != karbor.CheckpointAvailable || progress[0].Status != karbor.CopyFinished {
		t.Errorf("the copy is %s: %+v, %v", cp.Status, progress, err)
	}
	if v := s.untilVerified(s.verify(cp.ID, nil).ID); v.Status != karbor.VerificationSuccess {
		t.Errorf("it is verified as %+v", v)
	}
}

func TestAnEarlierCopyThatIsHeldOrWholeIsNotCleared(t *testing.T) {
	for name, whole := range map[string]bool{"it is held": false, "its bank says that it is whole": true} {
		t.Run(name, func(t *testing.T) {
			s := copies(t, "", false)
			plan := s.plan(volume("v1"))
			s.until(s.protect(plan))
			if !whole {
				s.far.set(func(key string) error {
					if strings.Contains(key, "/data/") {
						return karbor.Errorf(karbor.OverLimit, "the far bank is full")
					}
					return nil
				}, false)
			}
			first := s.untilCopied(s.copy(plan).ID).Checkpoints[0].CopyID
			s.far.set(nil, false)
			var err error
			if whole {
				err = s.store.SetCheckpointStatus(t.Context(), projectID, providerID, first, karbor.CheckpointError)
			} else {
				_, err = s.service.HoldCheckpoint(t.Context(), s.caller(), providerID, first, "audit", s.now().AddDate(1, 0, 0))
			}
			if err != nil {
				t.Fatal(err)
			}
			again := s.untilCopied(s.copy(plan).ID)
			if again.Status != karbor.CopyFinished || again.Checkpoints[0].CopyID == first {
				t.Fatalf("the second request: %+v", again)
			}
			if _, err := s.store.Checkpoint(t.Context(), projectID, providerID, first); err != nil {
				t.Errorf("the catalogue has lost it: %v", err)
			}
			data := false
			for key := range s.far.Snapshot() {
				data = data || strings.Contains(key, first+"/nodes/")
			}
			if data != whole {
				t.Errorf("its data is there: %t", data)
			}
		})
	}
}

func TestATargetsRetentionFollowsALaneThatWasBrokenOff(t *testing.T) {
	s := copies(t, "    keep: {newest: 2}\n", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.until(s.protect(plan))
	before := s.untilCopied(s.copy(plan).ID)
	s.until(s.protect(plan))
	s.until(s.protect(plan))
	// The first copy comes through. The second breaks the lane off, and fails for good then.
	var mu sync.Mutex
	var seen []string
	fails := 0
	s.far.set(func(key string) error {
		_, rest, ok := strings.Cut(key, "/checkpoints/"+projectID+"/")
		if !ok || !strings.Contains(key, "/data/") {
			return nil
		}
		id, _, _ := strings.Cut(rest, "/")
		mu.Lock()
		defer mu.Unlock()
		if len(seen) == 0 || seen[len(seen)-1] != id {
			seen = append(seen, id)
		}
		if len(seen) == 1 {
			return nil
		}
		if fails++; fails == 1 {
			return karbor.Transientf("the far bank is slow")
		}
		return karbor.Errorf(karbor.OverLimit, "the far bank is full")
	}, false)
	if c := s.untilCopied(s.copy(plan).ID); c.Status != karbor.CopyError {
		t.Fatalf("%+v", c)
	}
	if cp := s.until(before.Checkpoints[0].CopyID); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("the third copy is still there, %s", cp.Status)
	}
}

func TestACopyInWhichFaultsWereFoundDoesNotCountAsOneThatIsKept(t *testing.T) {
	s := copies(t, "    keep: {newest: 2}\n", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.until(s.protect(plan))
	first := s.untilCopied(s.copy(plan).ID)
	good, bad := first.Checkpoints[0].CopyID, first.Checkpoints[1].CopyID
	s.damageIn(s.far.Memory, bad)
	if v := s.untilVerified(s.verify(bad, nil).ID); v.Status != karbor.VerificationError {
		t.Fatalf("the damage is not found: %+v", v)
	}
	s.until(s.protect(plan))
	s.untilCopied(s.copy(plan).ID)
	if cp := s.until(good); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the good one of the first two is %s", cp.Status)
	}
	s.until(s.protect(plan))
	s.untilCopied(s.copy(plan).ID)
	for name, id := range map[string]string{"good": good, "bad": bad} {
		if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
			t.Errorf("after two newer good ones, the %s one is %s", name, cp.Status)
		}
	}
}

func TestAnEarlierCopyThatItsBankLocksIsNotBegunToBeCleared(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.far.set(func(key string) error {
		if strings.Contains(key, "/data/") {
			return karbor.Errorf(karbor.OverLimit, "the far bank is full")
		}
		return nil
	}, false)
	first := s.untilCopied(s.copy(plan).ID).Checkpoints[0].CopyID
	s.far.set(nil, false)
	states := func() (keys []string) {
		for key := range s.far.Snapshot() {
			if strings.HasPrefix(key, "v1/states/") && strings.Contains(key, first) {
				keys = append(keys, key)
			}
		}
		return keys
	}
	before := len(states())
	s.far.locked.Store(true)
	if again := s.untilCopied(s.copy(plan).ID); again.Status != karbor.CopyFinished {
		t.Fatalf("the second request: %+v", again)
	}
	if after := states(); before == 0 || len(after) != before {
		t.Errorf("it had %d states in its bank, and has %q", before, after)
	}
	if _, err := s.store.Checkpoint(t.Context(), projectID, providerID, first); err != nil {
		t.Errorf("the catalogue has lost it: %v", err)
	}
}

func TestACopyThatFailsOnABankThatLocksAllSaysWhy(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.far.locked.Store(true)
	s.far.set(func(key string) error {
		if strings.HasSuffix(key, "/manifest") { // when some of it is kept already
			return karbor.Errorf(karbor.OverLimit, "the far bank is full")
		}
		return nil
	}, false)
	c := s.untilCopied(s.copy(plan).ID)
	id := c.Checkpoints[0].CopyID
	there := false
	for key := range s.far.Snapshot() {
		there = there || strings.Contains(key, id+"/nodes/")
	}
	if c.Status != karbor.CopyError || !there {
		t.Fatalf("the copy is %s, and there is something that is locked: %t", c.Status, there)
	}
	s.far.set(nil, false)
	p, err := s.providers[0].At("offsite")
	if err != nil {
		t.Fatal(err)
	}
	inBank, err := p.Checkpoints().Get(t.Context(), projectID, id)
	if err != nil {
		t.Fatal(err)
	}
	for where, cp := range map[string]karbor.Checkpoint{"catalogue": s.checkpointOf(id), "bank": inBank} {
		if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons[""], "the far bank is full") {
			t.Errorf("in the %s it is %s: %v", where, cp.Status, cp.Reasons)
		}
	}
}
