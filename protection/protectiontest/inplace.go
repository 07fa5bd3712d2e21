package protectiontest

import (
	"fmt"
	"testing"

	"github.com/karbor/karbor/protection"
)

// InPlace is the suite for restores that overwrite the original. Destroy of a source spoils
// it, so that it is there with other bytes; spoilt checks that it has those: Undo brings
// them back.
func InPlace(t *testing.T, c Case, spoilt func(t *testing.T, source Source)) {
	t.Run("what was spoilt is overwritten", func(t *testing.T) { newBench(t, c).overwritten(t, life{dies: -1}) })
	t.Run("each hook can run twice", func(t *testing.T) { newBench(t, c).overwritten(t, life{dies: -1, twice: true}) })
	for m := range later + 1 {
		t.Run("goes on after a kill "+modeNames[m], func(t *testing.T) { newBench(t, c).overwriteKilled(t, m, nil) })
		t.Run("is undone after a kill "+modeNames[m], func(t *testing.T) { newBench(t, c).overwriteKilled(t, m, spoilt) })
	}
}

func (b *bench) overwritten(t *testing.T, l life) {
	source, kept := b.protected(t, life{dies: -1})
	before := b.Inventory(t)
	op, call, remove := b.restore(t, source, kept)
	defer remove()
	if err := b.run(t.Context(), l, b.Plugin.Hooks(protection.InPlace, b.Type), call); err != nil {
		t.Fatalf("overwriting: %v", err)
	}
	expectReleased(t, call)
	b.expect(t, "after overwriting", before)
	source.Check(t, op.restored())
}

// overwriteKilled kills a restore in place at each of its calls, and goes on with it, or
// undoes it if spoilt is given.
func (b *bench) overwriteKilled(t *testing.T, m mode, spoilt func(t *testing.T, source Source)) {
	b.mode = m
	source, kept := b.protected(t, life{dies: -1})
	there := b.Inventory(t)
	hooks := b.Plugin.Hooks(protection.InPlace, b.Type)
	if spoilt != nil {
		hooks.Complete = nil // from then on, what is overwritten stays
	}
	for n := 0; ; n++ {
		op, call, remove := b.restore(t, source, kept)
		err := b.run(t.Context(), life{dies: n, mode: m}, hooks, call)
		died := !b.faults.alive()
		b.faults.arm(-1, before, nil)
		if died == (err == nil) {
			t.Fatalf("killed at call %d: %v, and the error is %v", n, died, err)
		}
		call = b.reborn(t, call)
		what := fmt.Sprintf("after the kill at call %d", n)
		if spoilt == nil {
			b.whole(t, hooks, call)
			source.Check(t, op.restored())
		} else {
			if err := b.undo(t.Context(), hooks, call); err != nil {
				t.Fatalf("%s: undoing: %v", what, err)
			}
			spoilt(t, source)
		}
		b.expect(t, what, there)
		remove()
		if !died {
			return
		}
		if spoilt == nil {
			source.Destroy(t)
		}
	}
}
