package checkpoint

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// keeping is a bank that keeps all that is meant to last for an hour, and lets nothing of it go before.
type keeping struct{ locking }

func (k keeping) Delete(ctx context.Context, key string) error {
	i, err := k.Stat(ctx, key)
	now, _ := k.Now(ctx)
	if err == nil && bank.Lockable(key) && now.Before(i.LockedUntil) {
		return karbor.Errorf(karbor.Conflict, "removing %s: it is locked until %s", key, i.LockedUntil.Format(time.DateTime))
	}
	return k.locking.Delete(ctx, key)
}

// keep gives a bank that locks all, with the sample as an available checkpoint whose locks are over.
func keep(t *testing.T) (*clock, *banktest.Memory, *Checkpoints) {
	t.Helper()
	c := newClock()
	m := memory(c)
	cs := open(t, keeping{locking{m}}, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	put(t, m, nodesPrefix(project, cpID)+"server/"+serverID+"/documents/metadata", "{}")
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	wait(t, c, cs, 61*time.Minute)
	must(t, cs.MayRemove(t.Context(), project, cpID))
	return c, m, cs
}

// wait lets time pass, and has the owner live on.
func wait(t *testing.T, c *clock, cs *Checkpoints, d time.Duration) {
	t.Helper()
	c.move(d)
	must(t, cs.Lease().Acquire(t.Context()))
}

// lies gives what the bank has of the sample, without the parts of the keys that name it.
func lies(m *banktest.Memory) (keys []string) {
	for key := range m.Snapshot() {
		if strings.Contains(key, cpID) {
			keys = append(keys, strings.NewReplacer("v1/", "", "/"+project+"/"+cpID, "", project+"@"+cpID, "claim").Replace(key))
		}
	}
	slices.Sort(keys)
	return keys
}

func wantLies(t *testing.T, m *banktest.Memory, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lies(m)); diff != "" {
		t.Errorf("in the bank: %s", diff)
	}
}

func TestADeletionOnABankThatLocksAllEndsAndIsSweptLater(t *testing.T) {
	c, m, cs := keep(t)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	wantLies(t, m, "states/00000003", "states/00000004")
	must(t, cs.Purge(t.Context(), project, cpID)) // once more
	for _, passed := range []time.Duration{0, 59 * time.Minute} {
		wait(t, c, cs, passed)
		sweep(t, cs, 0)
		wantLies(t, m, "states/00000003", "states/00000004")
	}
	wait(t, c, cs, time.Minute)
	sweep(t, cs, 0)
	wantLies(t, m, "states/00000004")
	wait(t, c, cs, 24*time.Hour)
	sweep(t, cs, 1)
	wantLies(t, m)
}

// sweep does a round of upkeep, which removes so many tombstones.
func sweep(t *testing.T, cs *Checkpoints, want int) {
	t.Helper()
	if n, err := cs.SweepTombstones(t.Context(), 24*time.Hour); err != nil || n != want {
		t.Errorf("%d tombstones removed, want %d: %v", n, want, err)
	}
}

func TestEvidenceThatCameWhenADeletionHadBeenAcceptedHoldsItUpNotAtAll(t *testing.T) {
	c, m, cs := keep(t)
	wait(t, c, cs, time.Minute)
	// The deletion was accepted: it had been asked whether anything is locked.
	must(t, cs.PutProof(t.Context(), project, cpID, drilled(t, nil)))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	proof := "checkpoints/evidence/" + drillID + "/00000001"
	wantLies(t, m, proof, "states/00000003", "states/00000004")
	if _, err := cs.Get(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("the deleted checkpoint: %v", err)
	}
	wait(t, c, cs, 59*time.Minute)
	sweep(t, cs, 0)
	wantLies(t, m, proof, "states/00000003", "states/00000004")
	wait(t, c, cs, time.Minute)
	sweep(t, cs, 0)
	wantLies(t, m, "states/00000004")
}

func TestEvidenceThatCameBehindTheStateDeletingIsSweptToo(t *testing.T) {
	c, m, cs := keep(t)
	racing := &deleter{Bank: keeping{locking{m}}}
	writer := open(t, racing, c, "b")
	racing.delete = func() {
		must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
		must(t, cs.Purge(t.Context(), project, cpID))
		c.move(30 * time.Second) // and the record is kept from then on
		must(t, m.Put(t.Context(), proofKey(project, cpID, drillID, 1), strings.NewReader("{}"), 2))
	}
	wantKind(t, writer.PutProof(t.Context(), project, cpID, drilled(t, nil)), karbor.NotFound)
	proof := "checkpoints/evidence/" + drillID + "/00000001"
	wantLies(t, m, proof, "states/00000003", "states/00000004")
	wait(t, c, cs, time.Hour-20*time.Second)
	sweep(t, cs, 0) // the lock of the state is over, and that of the record is not
	wantLies(t, m, proof, "states/00000003", "states/00000004")
	wait(t, c, cs, time.Minute)
	sweep(t, cs, 0)
	wantLies(t, m, "states/00000004")
}

func TestADeletionThatFailedCanBeTriedAgainOnABankThatLocksAll(t *testing.T) {
	_, _, cs := keep(t)
	must(t, cs.PutProof(t.Context(), project, cpID, drilled(t, nil))) // after it was accepted
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointErrorDeleting, Change{Reasons: map[string]string{"": "the cloud was away"}}))
	must(t, cs.MayRemove(t.Context(), project, cpID))
}

func TestWhatIsLockedOfACheckpointThatCouldNotBeMadeIsToldApart(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, keeping{locking{m}}, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	put(t, m, nodesPrefix(project, cpID)+"server/"+serverID+"/documents/metadata", "{}")
	err := cs.Discard(t.Context(), project, cpID)
	if wantKind(t, err, karbor.Conflict); !errors.Is(err, ErrLocked) {
		t.Errorf("%v does not say that it is locked", err)
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
}
