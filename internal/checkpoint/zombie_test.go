package checkpoint

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
)

func zombieIDs(t *testing.T, cs *Checkpoints) []string {
	t.Helper()
	zombies, err := cs.Zombies(t.Context(), nil)
	must(t, err)
	out := []string{}
	for _, z := range zombies {
		out = append(out, z.ID+" "+string(z.Status))
	}
	slices.Sort(out)
	return out
}

func TestZombiesAreTheUnfinishedOnesOfDeadOwners(t *testing.T) {
	c := newClock()
	m := memory(c)
	dead := open(t, m, c, "dead")
	must(t, dead.Create(t.Context(), sample()))
	must(t, dead.Create(t.Context(), other(volumeID, 0)))
	must(t, dead.SetState(t.Context(), project, volumeID, karbor.CheckpointAvailable, Change{}))
	must(t, dead.SetState(t.Context(), project, volumeID, karbor.CheckpointDeleting, Change{}))
	must(t, dead.Create(t.Context(), other(imageID, 0)))
	must(t, dead.SetState(t.Context(), project, imageID, karbor.CheckpointAvailable, Change{}))
	c.move(DefaultLeaseExpire - time.Second)
	living := open(t, m, c, "living")
	must(t, living.Create(t.Context(), other(serverID, 0)))
	if got := zombieIDs(t, living); len(got) != 0 {
		t.Errorf("zombies of a living owner: %v", got)
	}
	c.move(time.Second)
	want := []string{volumeID + " deleting", cpID + " protecting"}
	slices.Sort(want)
	for range 2 {
		if diff := cmp.Diff(want, zombieIDs(t, living)); diff != "" {
			t.Error(diff)
		}
	}
	must(t, living.SetState(t.Context(), project, cpID, karbor.CheckpointProtecting, Change{}))
	must(t, living.Purge(t.Context(), project, volumeID))
	if got := zombieIDs(t, living); len(got) != 0 {
		t.Errorf("zombies that were taken over: %v", got)
	}
	for key := range m.Snapshot() {
		if strings.HasPrefix(key, leasePrefix("dead")) && strings.Contains(key, "@") {
			t.Errorf("the claim %s is left", key)
		}
	}
}

func TestCheckpointThatDiedBeforeItsFirstStateIsAZombie(t *testing.T) {
	c := newClock()
	m := memory(c)
	f := banktest.NewFaulty(m)
	dead := open(t, f, c, "dead")
	f.Add(banktest.Fault{Method: banktest.Create, Nth: 3, Onward: true})
	if err := dead.Create(t.Context(), sample()); err == nil {
		t.Fatal("created")
	}
	c.move(DefaultLeaseExpire)
	cs := open(t, m, c, "living")
	zombies, err := cs.Zombies(t.Context(), nil)
	must(t, err)
	if len(zombies) != 1 {
		t.Fatalf("%d zombies, want 1", len(zombies))
	}
	if diff := diffCheckpoint(sample(), zombies[0]); diff != "" {
		t.Error(diff)
	}
	// Creating it again and failing it is how it ends.
	must(t, cs.Create(t.Context(), zombies[0]))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	if got := zombieIDs(t, cs); len(got) != 0 {
		t.Errorf("zombies: %v", got)
	}
}
