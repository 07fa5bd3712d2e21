package checkpoint

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// addNodes writes documents and data of a node.
func addNodes(ctx context.Context, cs *Checkpoints, id string) error {
	docs, err := cs.Section(project, id, karbor.NodeKey("volume/"+volumeID))
	if err != nil {
		return err
	}
	data, err := cs.Data(project, id, karbor.NodeKey("volume/"+volumeID))
	if err != nil {
		return err
	}
	for _, key := range []string{"1", "2", "3"} {
		if err := data.Create(ctx, key, strings.NewReader(key), 1); err != nil {
			return err
		}
	}
	return docs.CreateJSON(ctx, "metadata", "x")
}

// addDocument writes a document of a plug-in.
func addDocument(ctx context.Context, cs *Checkpoints) error {
	docs, err := cs.Documents(project, cpID, volumeNode)
	if err != nil {
		return err
	}
	return docs.CreateJSON(ctx, "metadata", secret{"x"})
}

// withoutLease is a bank's objects without leases, which differ from run to run.
func withoutLease(m *banktest.Memory) map[string]string {
	all := m.Snapshot()
	for key := range all {
		if strings.HasPrefix(key, leasesRoot) && !strings.Contains(key, "@") {
			delete(all, key)
		}
	}
	return all
}

// prepared is a bank with two checkpoints, the sample deleting.
func prepared(t *testing.T, c *clock) *banktest.Memory {
	m := memory(c)
	cs := open(t, m, c, "a")
	for _, cp := range []karbor.Checkpoint{sample(), other(volumeID, time.Hour)} {
		must(t, cs.Create(t.Context(), cp))
		must(t, addNodes(t.Context(), cs, cp.ID))
		must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointError, Change{Reasons: map[string]string{"a": "b"}}))
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	return m
}

func TestPurgeLeavesATombstoneOnly(t *testing.T) {
	c := newClock()
	m := prepared(t, c)
	cs := open(t, m, c, "a")
	must(t, cs.Purge(t.Context(), project, cpID))
	var left []string
	for key := range m.Snapshot() {
		if strings.Contains(key, cpID) {
			left = append(left, key)
		}
	}
	if diff := cmp.Diff([]string{stateKey(project, cpID, 4)}, left); diff != "" {
		t.Error(diff)
	}
	_, err := cs.Get(t.Context(), project, cpID)
	wantKind(t, err, karbor.NotFound)
	page, err := cs.List(t.Context(), project, Filter{}, "", 10)
	must(t, err)
	if len(page.Checkpoints) != 1 || page.Checkpoints[0].ID != volumeID {
		t.Errorf("listed: %+v", page.Checkpoints)
	}
	// The id can't be used again while the tombstone stands.
	wantKind(t, cs.Create(t.Context(), sample()), karbor.Conflict)
}

func TestPurgeNeedsADeletingCheckpoint(t *testing.T) {
	c := newClock()
	m := prepared(t, c)
	cs := open(t, m, c, "a")
	before := withoutLease(m)
	wantKind(t, cs.Purge(t.Context(), project, volumeID), karbor.Conflict)
	must(t, cs.Purge(t.Context(), project, imageID)) // never was
	if diff := cmp.Diff(before, withoutLease(m)); diff != "" {
		t.Error(diff)
	}
}

func TestTheGateHoldsDeletionBack(t *testing.T) {
	c := newClock()
	m := prepared(t, c)
	held := karbor.Errorf(karbor.Conflict, "it is held")
	var asked []string
	cs, err := Open(t.Context(), m, Options{Owner: "a", Now: c.Now, Gate: func(_ context.Context, cp karbor.Checkpoint) error {
		asked = append(asked, cp.ID+" "+string(cp.Status))
		return held
	}})
	must(t, err)
	must(t, cs.Lease().Acquire(t.Context()))
	before := withoutLease(m)
	if err := cs.Purge(t.Context(), project, cpID); !errors.Is(err, held) {
		t.Errorf("purge: %v", err)
	}
	if err := cs.SetState(t.Context(), project, volumeID, karbor.CheckpointDeleting, Change{}); !errors.Is(err, held) {
		t.Errorf("deleting: %v", err)
	}
	if diff := cmp.Diff([]string{cpID + " deleting", volumeID + " error"}, asked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, withoutLease(m)); diff != "" {
		t.Error(diff)
	}
}

func TestTombstonesExpireByTheBanksClock(t *testing.T) {
	c := newClock()
	m := prepared(t, c)
	cs := open(t, m, c, "a")
	must(t, cs.Purge(t.Context(), project, cpID))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {59 * time.Minute, 0}, {time.Minute, 1}, {time.Hour, 0}} {
		wait(t, c, cs, step.after)
		n, err := cs.SweepTombstones(t.Context(), time.Hour)
		if err != nil || n != step.want {
			t.Errorf("after %v more: %d expired, error %v, want %d", step.after, n, err, step.want)
		}
	}
	for key := range m.Snapshot() {
		if strings.Contains(key, cpID) {
			t.Errorf("%s is left", key)
		}
	}
	if _, err := cs.Get(t.Context(), project, volumeID); err != nil {
		t.Error(err)
	}
}

// lifeStep is one call that a worker makes, and makes again after a crash.
type lifeStep func(ctx context.Context, cs *Checkpoints) error

// survives kills the steps after every single bank call, lets another process go
// on with them from the first, and checks that the end is that of an undisturbed
// run: in the clear, and sealed.
func survives(t *testing.T, prepare func(c *clock) *banktest.Memory, takeOver lifeStep, steps ...lifeStep) {
	t.Helper()
	survivesWith(t, nil, prepare, takeOver, steps...)
	survivesWith(t, ring{project: newDomain(t, project, 7)}, prepare, takeOver, steps...)
}

func survivesWith(t *testing.T, sealer Sealer, prepare func(c *clock) *banktest.Memory, takeOver lifeStep, steps ...lifeStep) {
	t.Helper()
	run := func(b bank.Bank, c *clock, owner string, steps ...lifeStep) error {
		cs, err := Open(t.Context(), b, Options{Owner: owner, Now: c.Now, Sealer: sealer})
		if err != nil {
			return err
		}
		if err := cs.Lease().Acquire(t.Context()); err != nil {
			return err
		}
		for _, step := range steps {
			if err := step(t.Context(), cs); err != nil {
				return err
			}
		}
		return nil
	}
	for _, successor := range []string{"a", "b"} {
		for _, done := range []bool{false, true} {
			for n := 1; ; n++ {
				c := newClock()
				m := prepare(c)
				f := banktest.NewFaulty(m)
				f.Add(banktest.Fault{Method: banktest.Any, Nth: n, Onward: true, Done: done})
				err := run(f, c, "a", steps...)
				calls := f.Calls()
				again := steps
				if successor == "b" {
					c.move(DefaultLeaseExpire + time.Second)
					again = append([]lifeStep{func(ctx context.Context, cs *Checkpoints) error {
						_, err := cs.Zombies(ctx, nil)
						return err
					}, takeOver}, steps...)
				}
				if err != nil {
					if err := run(m, c, successor, again...); err != nil {
						t.Fatalf("%s goes on after call %d (%+v, done %v): %v", successor, n, calls[len(calls)-1], done, err)
					}
				}
				c.move(2 * DefaultLeaseExpire)
				check := openSealed(t, m, c, "c", sealer)
				if zombies, zErr := check.Zombies(t.Context(), nil); zErr != nil || len(zombies) > 0 {
					t.Fatalf("after call %d: zombies %+v, error %v", n, zombies, zErr)
				}
				if diff := cmp.Diff(shape(t, sealer, undisturbed(t, sealer, prepare, steps)), shape(t, sealer, withoutLease(m))); diff != "" {
					t.Fatalf("%s goes on after call %d (%+v, done %v): %s", successor, n, calls[len(calls)-1], done, diff)
				}
				if err == nil {
					if n < 10 {
						t.Errorf("only %d calls", n)
					}
					break
				}
			}
		}
	}
}

func undisturbed(t *testing.T, sealer Sealer, prepare func(c *clock) *banktest.Memory, steps []lifeStep) map[string]string {
	c := newClock()
	m := prepare(c)
	cs := openSealed(t, m, c, "a", sealer)
	for _, step := range steps {
		must(t, step(t.Context(), cs))
	}
	return withoutLease(m)
}

// listName is random where the list is sealed.
var listName = regexp.MustCompile(`/contents/[0-9a-f]{64}$`)

// shape drops what may differ after a crash: times, owners, sequence numbers and
// boxes. Of the states of a checkpoint only the newest status counts.
func shape(t *testing.T, sealer Sealer, all map[string]string) map[string]string {
	if r, ok := sealer.(ring); ok {
		all = r.opened(t, all)
	}
	out := map[string]string{}
	newest := map[string]string{}
	for key, text := range all {
		dir, last := key[:strings.LastIndexByte(key, '/')], key[strings.LastIndexByte(key, '/')+1:]
		if !strings.HasPrefix(key, statesRoot) {
			out[listName.ReplaceAllString(key, "/contents/*")] = text
			continue
		}
		if last > newest[dir] {
			newest[dir] = last
			_, rest, _ := strings.Cut(text, `"status":"`)
			out[dir], _, _ = strings.Cut(rest, `"`)
		}
	}
	return out
}

func purgeSample(ctx context.Context, cs *Checkpoints) error { return cs.Purge(ctx, project, cpID) }

func nothing(context.Context, *Checkpoints) error { return nil }

func TestPurgeSurvivesACrashAfterEveryCall(t *testing.T) {
	survives(t, func(c *clock) *banktest.Memory { return prepared(t, c) }, nothing, purgeSample)
}

func TestCreateSurvivesACrashAfterEveryCall(t *testing.T) {
	create := func(ctx context.Context, cs *Checkpoints) error {
		err := cs.Create(ctx, sample())
		if err == nil {
			err = addDocument(ctx, cs)
		}
		if karbor.KindOf(err) == karbor.Conflict { // an earlier run has done all
			if cp, getErr := cs.Get(ctx, project, cpID); getErr == nil && cp.Status == karbor.CheckpointAvailable {
				return nil
			}
		}
		return err
	}
	finish := func(ctx context.Context, cs *Checkpoints) error {
		return cs.SetState(ctx, project, cpID, karbor.CheckpointAvailable, Change{Size: 3})
	}
	survives(t, memory, nothing, create, finish)
}

func TestCreateAvailableSurvivesACrashAfterEveryCall(t *testing.T) {
	survives(t, memory, nothing, func(ctx context.Context, cs *Checkpoints) error {
		return cs.CreateAvailable(ctx, sample(), Change{Size: 3})
	})
}

func TestDeleteSurvivesACrashAfterEveryCall(t *testing.T) {
	deleting := func(ctx context.Context, cs *Checkpoints) error {
		err := cs.SetState(ctx, project, cpID, karbor.CheckpointDeleting, Change{From: []karbor.CheckpointStatus{karbor.CheckpointError}})
		if karbor.KindOf(err) == karbor.NotFound {
			return nil // an earlier run has purged it
		}
		return err
	}
	survives(t, func(c *clock) *banktest.Memory {
		m := memory(c)
		cs := open(t, m, c, "a")
		must(t, cs.Create(t.Context(), sample()))
		must(t, addNodes(t.Context(), cs, cpID))
		must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
		return m
	}, nothing, deleting, purgeSample)
}

func TestPurgeRemovesWhatWasMadeWithoutAState(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	before := m.Snapshot()
	must(t, cs.Create(t.Context(), sample()))
	must(t, m.Delete(t.Context(), stateKey(project, cpID, 1))) // as if it had never been written
	must(t, cs.Purge(t.Context(), project, cpID))
	if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
		t.Error(diff)
	}
}
