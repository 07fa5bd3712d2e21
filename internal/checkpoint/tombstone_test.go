package checkpoint

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// late is a bank whose reader stands still for a while at the nth call for one of its keys.
type late struct {
	bank.Bank
	at    int
	still func()
}

func (l *late) call(key string) {
	if !strings.Contains(key, cpID) || l.still == nil {
		return
	}
	if l.at--; l.at == 0 {
		l.still()
	}
}

func (l *late) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	l.call(prefix)
	return l.Bank.List(ctx, prefix, marker, limit)
}

func (l *late) Get(ctx context.Context, key string, offset, length int64) (rc io.ReadCloser, err error) {
	l.call(key)
	return l.Bank.Get(ctx, key, offset, length)
}

func (l *late) Delete(ctx context.Context, key string) error {
	l.call(key)
	return l.Bank.Delete(ctx, key)
}

// deleted makes the sample, and deletes it.
func deleted(t *testing.T, cs *Checkpoints, cp karbor.Checkpoint) {
	t.Helper()
	must(t, cs.Create(t.Context(), cp))
	must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointAvailable, Change{}))
	must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cp.ID))
}

func TestASweepThatComesLateLeavesACheckpointThatWasBroughtBack(t *testing.T) {
	for at := 1; at <= 6; at++ {
		c := newClock()
		m := memory(c)
		b := open(t, m, c, "b")
		deleted(t, b, sample())
		wait(t, c, b, 25*time.Hour)
		slow := &late{Bank: m, at: at}
		a := open(t, slow, c, "a")
		slow.still = func() {
			wait(t, c, b, time.Hour)
			sweep(t, b, 1)
			must(t, b.Create(t.Context(), sample())) // a copy under the same id
			put(t, m, nodesPrefix(project, cpID)+"server/"+serverID+"/documents/metadata", "{}")
			must(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
		}
		n, err := a.SweepTombstones(t.Context(), 24*time.Hour)
		if slow.at > 0 { // there is no such call
			if at <= 3 || n != 1 || err != nil {
				t.Errorf("undisturbed, with %d calls: %d tombstones removed, %v", at-1, n, err)
			}
			return
		}
		wantLies(t, m, "checkpoints/contents/8b6ba0c0fb84289078b555c788add265a616a4dc375ca842ef318b68f0021d5a", "checkpoints/description",
			"checkpoints/nodes/server/"+serverID+"/documents/metadata",
			"indices/by-date/"+project+"/2024-03-01/20240301T120000.123456Z@"+cpID,
			"indices/by-plan/"+project+"/"+plan+"/20240301T120000.123456Z@"+cpID,
			"indices/by-provider/"+project+"/"+provider+"/20240301T120000.123456Z@"+cpID,
			"states/00000001", "states/00000002")
		if cp, err := b.Get(t.Context(), project, cpID); err != nil || cp.Status != karbor.CheckpointAvailable {
			t.Errorf("late at call %d: %s, %v", at, cp.Status, err)
		}
	}
	t.Error("the sweep has no end")
}

func TestATombstoneDoesNotGoInTheRoundThatClearsBesideIt(t *testing.T) {
	c, m, cs := keep(t)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	wait(t, c, cs, 25*time.Hour)
	sweep(t, cs, 0)
	wantLies(t, m, "states/00000004")
	sweep(t, cs, 1)
	wantLies(t, m)
}

func TestNoTombstoneGoesBeforeWhatLiesBesideIt(t *testing.T) {
	c, m, cs := keep(t)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	wait(t, c, cs, 61*time.Minute)
	sweep(t, cs, 0)
	wait(t, c, cs, 23*time.Hour)
	put(t, m, proofKey(project, cpID, drillID, 1), "{}") // by one who stood still, and it is locked
	evidence := "checkpoints/evidence/" + drillID + "/00000001"
	sweep(t, cs, 0)
	wantLies(t, m, evidence, "states/00000004")
	wait(t, c, cs, 61*time.Minute)
	sweep(t, cs, 0)
	wantLies(t, m, "states/00000004")
	sweep(t, cs, 1)
	wantLies(t, m)
}

// refusing is a bank that does not let the objects of some checkpoints go.
type refusing struct {
	bank.Bank
	ids  *[]string
	with error
}

func (r refusing) Delete(ctx context.Context, key string) error {
	if slices.ContainsFunc(*r.ids, func(id string) bool { return strings.Contains(key, id) }) {
		return r.with
	}
	return r.Bank.Delete(ctx, key)
}

func TestATombstoneThatFailsHoldsUpNoOther(t *testing.T) {
	for what, test := range map[string]struct {
		with    error
		expired int
	}{
		"what is held":                        {karbor.Errorf(karbor.Unavailable, "the bank refuses access"), 2},
		"a bank that lets nothing go for now": {karbor.Transientf("the bank is away"), 0},
	} {
		t.Run(what, func(t *testing.T) {
			c := newClock()
			m := memory(c)
			var held []string
			cs := open(t, refusing{m, &held, test.with}, c, "a")
			var ids []string
			for n := range 6 {
				cp := other(karbor.NewID(), time.Duration(n)*time.Minute)
				deleted(t, cs, cp)
				ids = append(ids, cp.ID)
			}
			slices.Sort(ids)
			held = ids[:4]
			wait(t, c, cs, 25*time.Hour)
			for range 2 {
				n, err := cs.SweepTombstones(t.Context(), 24*time.Hour)
				if n != test.expired || err == nil || !strings.Contains(err.Error(), "checkpoint "+ids[0]) {
					t.Errorf("%d tombstones removed, want %d; %v", n, test.expired, err)
				}
				test.expired = 0
			}
		})
	}
}

func TestATombstoneThatWaitsCostsNoRequest(t *testing.T) {
	c := newClock()
	faulty := banktest.NewFaulty(memory(c))
	cs := open(t, keeping{locking{faulty}}, c, "a")
	for n := range 3 {
		cp := other(karbor.NewID(), time.Duration(n)*time.Minute)
		must(t, cs.Create(t.Context(), cp))
		wait(t, c, cs, 61*time.Minute)
		must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointAvailable, Change{}))
		wait(t, c, cs, 61*time.Minute)
		must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointDeleting, Change{}))
		must(t, cs.Purge(t.Context(), project, cp.ID))
	}
	for _, passed := range []time.Duration{0, 2 * time.Hour} { // what lies beside it is locked; nothing is
		wait(t, c, cs, passed)
		sweep(t, cs, 0)
		before := len(faulty.Calls())
		sweep(t, cs, 0)
		for _, call := range faulty.Calls()[before:] {
			if call.Key != "" && call.Key != statesRoot {
				t.Errorf("after %s: %s %s", passed, call.Method, call.Key)
			}
		}
	}
}

func TestTombstonesAreNotSweptWithoutTheLease(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	deleted(t, cs, sample())
	c.move(25 * time.Hour)
	n, err := cs.SweepTombstones(t.Context(), 24*time.Hour)
	if n != 0 || !karbor.IsTransient(err) {
		t.Errorf("%d removed, %v", n, err)
	}
	wantLies(t, m, "states/00000004")
}
