package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// errShut is the answer of a gate that lets nothing through.
var errShut = errors.New("shut")

// gated is a history of one project, with what must be true of it.
type gated struct {
	s    *store.Store
	rng  *rand.Rand
	gate func(store.Standing) error
	// all are the checkpoints that are there, the oldest first, and good what their newest
	// verifications found good.
	all  []karbor.Checkpoint
	good map[string]map[string]bool
	at   time.Time
}

// newest gives the newest checkpoint in which each resource was found good.
func (g *gated) newest() map[string]string {
	out := map[string]string{}
	for _, c := range g.all {
		for resource, ok := range g.good[c.ID] {
			if ok {
				out[resource] = c.ID
			}
		}
	}
	return out
}

// step makes, verifies or deletes a checkpoint. It gives a sentence if a delete has taken
// what must stay.
func (g *gated) step(t *testing.T) string {
	t.Helper()
	if len(g.all) == 0 || g.rng.IntN(4) == 0 {
		g.all = append(g.all, available(t, g.s, "gated"))
		return ""
	}
	i := g.rng.IntN(len(g.all))
	c := g.all[i]
	if g.rng.IntN(2) == 0 {
		found := map[string]bool{}
		for _, resource := range []string{"volume a", "volume b", "image c"} {
			if g.rng.IntN(2) == 0 {
				found[resource] = g.rng.IntN(4) > 0
			}
		}
		g.at = g.at.Add(time.Second)
		verified(t, g.s, c, g.at, found)
		g.good[c.ID] = found
		return ""
	}
	before := g.newest()
	a := Acceptance(karbor.Delete, c)
	a.Gate = g.gate
	if err := g.s.Accept(t.Context(), a); errors.Is(err, errShut) {
		for _, id := range before {
			if id == c.ID {
				return ""
			}
		}
		return "a checkpoint is kept that is the newest one of nothing"
	} else if err != nil {
		t.Fatal(err)
	}
	must(t, g.s.EndOperation(t.Context(), a.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointDeleted}))
	g.all = append(g.all[:i], g.all[i+1:]...)
	for resource, id := range before {
		if g.newest()[resource] != id {
			return fmt.Sprintf("the newest checkpoint in which %s was good is gone", resource)
		}
	}
	return ""
}

// history makes a history of so many steps behind a gate, and gives what went wrong first.
func history(t *testing.T, s *store.Store, seed uint64, steps int, gate func(store.Standing) error) string {
	t.Helper()
	g := &gated{s: s, rng: rand.New(rand.NewPCG(seed, 1)), gate: gate, good: map[string]map[string]bool{}, at: start}
	fault := ""
	for i := 0; i < steps && fault == ""; i++ {
		fault = g.step(t)
	}
	for _, c := range g.all { // the next history begins anew
		c.Status = karbor.CheckpointDeleted
		must(t, s.PutCheckpoint(t.Context(), c))
	}
	return fault
}

func testGateKeepsNewestVerified(t *testing.T, s *store.Store) {
	const steps = 60
	shutIf := func(shut bool) error {
		if shut {
			return errShut
		}
		return nil
	}
	for seed := range uint64(3) {
		if fault := history(t, s, seed, steps, func(st store.Standing) error { return shutIf(len(st.NewestVerifiedOf) > 0) }); fault != "" {
			t.Fatalf("seed %d: %s", seed, fault)
		}
	}
	// Gates with a bug are found out.
	for name, gate := range map[string]func(store.Standing) error{
		"is open":                      func(store.Standing) error { return nil },
		"looks for several":            func(st store.Standing) error { return shutIf(len(st.NewestVerifiedOf) > 1) },
		"keeps all that were verified": func(st store.Standing) error { return shutIf(st.LastVerified != nil) },
		"looks at holds only":          func(st store.Standing) error { return shutIf(st.Hold != nil) },
	} {
		found := ""
		for seed := uint64(0); seed < 5 && found == ""; seed++ {
			found = history(t, s, seed, steps, gate)
		}
		if found == "" {
			t.Errorf("a gate that %s breaks nothing", name)
		}
	}
}
