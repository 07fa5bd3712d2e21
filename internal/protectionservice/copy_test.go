package protectionservice_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

//karbor:tries copy of any
func TestACopyIsACheckpointOfItsOwnInTheTargetsBank(t *testing.T) {
	for name, keys := range map[string]bool{"in the clear": false, "with keys": true} {
		t.Run(name, func(t *testing.T) {
			s := copies(t, "", keys)
			plan := s.plan(volume("v1"))
			first, second := s.until(s.protect(plan)), s.until(s.protect(plan))
			asked := s.copy(plan)
			if asked.Status != karbor.CopyWaiting || len(asked.Checkpoints) != 2 || asked.Checkpoints[0].ProtectID != first.ID {
				t.Fatalf("accepted: %+v", asked)
			}
			done := s.untilCopied(asked.ID)
			if done.Status != karbor.CopyFinished || s.logOf(asked.ID).Status != karbor.LogSuccess || s.logOf(asked.ID).OperationType != karbor.CopyOperation {
				t.Fatalf("ended: %+v, %+v", done, s.logOf(asked.ID))
			}
			for i, original := range []karbor.Checkpoint{first, second} {
				cp := s.checkpointOf(done.Checkpoints[i].CopyID)
				if cp.Status != karbor.CheckpointAvailable || cp.CopyOf != original.ID || cp.Bank != "offsite" || cp.Size != original.Size ||
					!cp.CreatedAt.Equal(original.CreatedAt) || string(cp.ExtraInfo["copy_of"]) != `"`+original.ID+`"` {
					t.Errorf("copy %d: %+v", i, cp)
				}
			}
			if u := s.usage(); u != (store.Usage{InUse: 4}) {
				t.Errorf("four checkpoints count as %+v", u)
			}
			_, err := s.service.Copy(t.Context(), s.caller(), protectionservice.CopyRequest{ProviderID: providerID, PlanID: plan})
			if karbor.KindOf(err) != karbor.Conflict {
				t.Errorf("what is copied is copied again: %v", err)
			}
			// A copy is verified, deleted and restored by itself.
			verified, copied := done.Checkpoints[0].CopyID, done.Checkpoints[1].CopyID
			if v := s.untilVerified(s.verify(verified, nil).ID); v.Status != karbor.VerificationSuccess || v.StandIn != nil || v.CheckpointID != verified {
				t.Errorf("verifying the copy: %+v", v)
			}
			if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, copied); err != nil {
				t.Fatal(err)
			}
			if cp := s.until(copied); cp.Status != karbor.CheckpointDeleted {
				t.Errorf("the deleted copy is %s", cp.Status)
			}
			if s.checkpointOf(second.ID).Status != karbor.CheckpointAvailable {
				t.Error("the original went with its copy")
			}
			again := s.untilCopied(s.copy(plan).ID)
			if again.Status != karbor.CopyFinished || len(again.Checkpoints) != 1 || again.Checkpoints[0].ProtectID != second.ID {
				t.Errorf("the second request: %+v", again)
			}
		})
	}
}

func TestTwoRequestsAtOnceCopyEachCheckpointOnce(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	for range 3 {
		s.until(s.protect(plan))
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[string]int{}
	refused := 0
	for range 4 {
		group.Go(func() {
			c, err := s.service.Copy(t.Context(), s.caller(), protectionservice.CopyRequest{ProviderID: providerID, PlanID: plan})
			mu.Lock()
			defer mu.Unlock()
			if karbor.KindOf(err) == karbor.Conflict && err != nil {
				refused++
			} else if err != nil {
				t.Error(err)
			}
			for _, one := range c.Checkpoints {
				seen[one.ProtectID]++
			}
		})
	}
	group.Wait()
	if refused != 3 || len(seen) != 3 {
		t.Errorf("%d requests refused; copied: %v", refused, seen)
	}
}

func TestACopyThatFailsLeavesNoHalfCopyAndTheNextRequestMakesIt(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	s.far.set(func(key string) error {
		if strings.Contains(key, "/data/") {
			return karbor.Errorf(karbor.OverLimit, "the far bank is full")
		}
		return nil
	}, false)
	failed := s.untilCopied(s.copy(plan).ID)
	id := failed.Checkpoints[0].CopyID
	cp := s.checkpointOf(id)
	if failed.Status != karbor.CopyError || cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons[""], "the far bank is full") {
		t.Fatalf("%+v: %+v", failed, cp)
	}
	if l := s.logOf(failed.ID); l.Status != karbor.LogError || !strings.Contains(l.ErrorInfo, original.ID+" to offsite: ") {
		t.Errorf("the log says %+v", l)
	}
	for key := range s.far.Snapshot() {
		if strings.Contains(key, id+"/nodes/") {
			t.Errorf("%s is left of the half copy", key)
		}
	}
	s.far.set(nil, false)
	again := s.untilCopied(s.copy(plan).ID)
	if again.Status != karbor.CopyFinished || again.Checkpoints[0].CopyID == id {
		t.Errorf("the next request: %+v", again)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("the copy that failed is still there, %s", cp.Status)
	}
	if u := s.usage(); u != (store.Usage{InUse: 2}) {
		t.Errorf("two checkpoints count as %+v", u)
	}
}

func TestACopyGoesOnAfterItsProcessDied(t *testing.T) {
	s := copies(t, "", true)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.until(s.protect(plan))
	reached, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.far.set(func(key string) error {
		if !strings.HasSuffix(key, "/manifest") {
			return nil
		}
		once.Do(func() { close(reached) })
		<-proceed
		return karbor.Transientf("the process is gone")
	}, false)
	c := s.copy(plan)
	arrives(t, reached)
	if got := s.checkpointOf(c.Checkpoints[0].CopyID); got.Status != karbor.CheckpointCopying {
		t.Errorf("a copy at work is %s", got.Status)
	}
	if got := s.checkpointOf(c.Checkpoints[1].CopyID); got.Status != karbor.CheckpointWaitCopying {
		t.Errorf("one that waits is %s", got.Status)
	}
	for _, id := range []string{c.Checkpoints[0].ProtectID, c.Checkpoints[0].CopyID, c.Checkpoints[1].CopyID} {
		if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("deleting %s while it is copied: %v", id, err)
		}
	}
	stopped := make(chan struct{})
	go func() { s.stop(); close(stopped) }()
	close(proceed)
	arrives(t, stopped)
	s.far.set(nil, false)
	s.start()
	done := s.untilCopied(c.ID)
	if d := cmp.Diff(c.Checkpoints, done.Checkpoints); d != "" || done.Status != karbor.CopyFinished {
		t.Fatalf("%+v: %s", done, d)
	}
	for _, one := range done.Checkpoints {
		if v := s.untilVerified(s.verify(one.CopyID, nil).ID); v.Status != karbor.VerificationSuccess {
			t.Errorf("the copy %s: %+v", one.CopyID, v)
		}
	}
}

func TestDamageOfTheSourceEndsItsCopyAndNoOther(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	bad, good := s.until(s.protect(plan)), s.until(s.protect(plan))
	s.damage(bad.ID)
	c := s.untilCopied(s.copy(plan).ID)
	progress, err := s.service.CopyProgress(t.Context(), c)
	if err != nil || c.Status != karbor.CopyError || len(progress) != 2 {
		t.Fatalf("%+v, %+v, %v", c, progress, err)
	}
	if p := progress[0]; p.CheckpointID != bad.ID || p.Status != karbor.CopyError || !strings.Contains(p.Reason, "damaged") || !strings.Contains(p.Reason, "volume/v1") {
		t.Errorf("the damaged one: %+v", p)
	}
	if p := progress[1]; p.CheckpointID != good.ID || p.Status != karbor.CopyFinished || p.Done != 20_000 || p.Stored == 0 {
		t.Errorf("the good one: %+v", p)
	}
}

// damage changes a byte of the data of a checkpoint in the main bank.
func (s *site) damage(id string) {
	s.t.Helper()
	s.damageIn(s.bank, id)
}

// damageIn changes a byte of the data of a checkpoint in a bank.
func (s *site) damageIn(m *banktest.Memory, id string) {
	s.t.Helper()
	for key, text := range m.Snapshot() {
		if strings.Contains(key, id) && strings.Contains(key, "/data/data/") && !strings.HasSuffix(key, "/manifest") && len(text) > 100 {
			changed := []byte(text)
			changed[50] ^= 1
			if err := m.Put(s.t.Context(), key, strings.NewReader(string(changed)), int64(len(changed))); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatal("there is no data to damage")
}

func TestACancelledCopyEndsInError(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	reached, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.far.set(func(key string) error {
		if strings.HasSuffix(key, "/manifest") {
			once.Do(func() { close(reached) })
			<-proceed
			return karbor.Transientf("the far bank is slow")
		}
		return nil
	}, false)
	c := s.copy(plan)
	arrives(t, reached)
	if err := s.engine.Cancel(t.Context(), c.ID, "not wanted"); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	done := s.untilCopied(c.ID)
	if cp := s.checkpointOf(c.Checkpoints[0].CopyID); done.Status != karbor.CopyError || cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons[""], "not wanted") {
		t.Errorf("%+v, %+v", done, cp)
	}
}

//karbor:tries no-copy of any
func TestAPlugInWhoseDataLiesElsewhereIsNotCopied(t *testing.T) {
	s := copies(t, "", false)
	s.script.bound = map[karbor.ResourceType]string{karbor.VolumeType: "its data is a snapshot in the block storage"}
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	_, err := s.service.Copy(t.Context(), s.caller(), protectionservice.CopyRequest{ProviderID: providerID, PlanID: plan})
	if karbor.KindOf(err) != karbor.Conflict || !strings.Contains(karbor.Sentence(err), "has the volume v1: its data is a snapshot") {
		t.Errorf("the copy is refused with %v", err)
	}
}

func TestATargetKeepsTheNewestCopies(t *testing.T) {
	s := copies(t, "    keep: {newest: 2}\n", false)
	plan := s.plan(volume("v1"))
	var ids []string
	for range 3 {
		ids = append(ids, s.until(s.protect(plan)).ID)
	}
	first := s.untilCopied(s.copy(plan).ID)
	if len(first.Checkpoints) != 2 || first.Checkpoints[0].ProtectID != ids[1] {
		t.Fatalf("a target that keeps two gets %+v", first.Checkpoints)
	}
	s.until(s.protect(plan))
	s.untilCopied(s.copy(plan).ID)
	if cp := s.until(first.Checkpoints[0].CopyID); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("the third copy is still there, %s", cp.Status)
	}
	if cp := s.until(first.Checkpoints[1].CopyID); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the second copy is %s", cp.Status)
	}
}

func TestAnEmptyDatabaseFindsTheCopies(t *testing.T) {
	s := copies(t, "", true)
	plan := s.plan(volume("v1"))
	original := s.until(s.protect(plan))
	c := s.untilCopied(s.copy(plan).ID)
	before := s.checkpointOf(c.Checkpoints[0].CopyID)
	s.forgetDatabase()
	s.start()
	s.poll(func() bool {
		_, err := s.store.Checkpoint(t.Context(), projectID, providerID, before.ID)
		return err == nil
	})
	after := s.checkpointOf(before.ID)
	if after.CopyOf != original.ID || after.Bank != "offsite" || after.Status != karbor.CheckpointAvailable || after.Size != before.Size {
		t.Errorf("the copy came back as %+v", after)
	}
	if got := s.checkpointOf(original.ID); got.Bank != "" || got.CopyOf != "" {
		t.Errorf("the original came back as %+v", got)
	}
}

func TestACopyWaitsForATargetThatDoesNotAnswer(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	s.far.set(nil, true)
	c := s.copy(plan)
	s.poll(func() bool {
		progress, err := s.service.CopyProgress(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(progress[0].Reason, "the far bank does not answer now")
	})
	s.far.set(nil, false)
	if done := s.untilCopied(c.ID); done.Status != karbor.CopyFinished {
		t.Errorf("it ended as %+v", done)
	}
}

func TestARequestChoosesTargetsAndCheckpoints(t *testing.T) {
	s := copies(t, "", false)
	plan, other := s.plan(volume("v1")), s.plan(volume("v2"))
	first, second, foreign := s.until(s.protect(plan)), s.until(s.protect(plan)), s.until(s.protect(other))
	ask := func(targets, checkpoints []string) (karbor.Copy, error) {
		return s.service.Copy(t.Context(), s.caller(), protectionservice.CopyRequest{
			ProviderID: providerID, PlanID: plan, Targets: targets, Checkpoints: checkpoints,
		})
	}
	for says, asked := range map[string][2][]string{
		`no copy target "moon"; it has offsite`: {{"moon"}, nil},
		"is of plan " + other:                   {nil, {foreign.ID}},
		"could not be found":                    {nil, {karbor.NewID()}},
	} {
		if _, err := ask(asked[0], asked[1]); err == nil || !strings.Contains(karbor.Sentence(err), says) {
			t.Errorf("asking for %v: %v", asked, err)
		}
	}
	c, err := ask([]string{"offsite"}, []string{second.ID})
	if err != nil || len(c.Checkpoints) != 1 || c.Checkpoints[0].ProtectID != second.ID {
		t.Fatalf("%+v, %v", c, err)
	}
	copied := s.untilCopied(c.ID).Checkpoints[0].CopyID
	if _, err := ask(nil, []string{copied}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("copying a copy: %v", err)
	}
	if rest := s.copy(plan); len(rest.Checkpoints) != 1 || rest.Checkpoints[0].ProtectID != first.ID {
		t.Errorf("the rest is %+v", rest.Checkpoints)
	}
}
