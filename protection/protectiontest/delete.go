package protectiontest

import (
	"fmt"
	"testing"

	"github.com/karbor/karbor"
)

// testDelete deletes checkpoints: at once, with a kill at every call, twice, after a
// protect that came to nothing, and after what they kept was lost.
func (b *bench) testDelete(t *testing.T) {
	hooks := b.Plugin.Hooks(karbor.Delete, b.Type)
	if b.Keeps == 0 {
		if !hooks.Offline && (hooks.PrepareBegin != nil || hooks.PrepareFinish != nil || hooks.Main != nil || hooks.Complete != nil) {
			t.Error("a plug-in that keeps nothing in the cloud has hooks for delete that need it")
		}
		return
	}
	source := b.Make(t)
	defer source.Destroy(t)
	for m := range later + 1 {
		b.mode = m
		for n, died := 0, true; died; n++ {
			died = false
			ok := t.Run(fmt.Sprintf("call %d, %s", n, modeNames[m]), func(t *testing.T) {
				died = b.deleted(t, source, life{dies: n, mode: m})
			})
			if !ok {
				return
			}
		}
	}
	t.Run("nothing was made", func(t *testing.T) {
		before := b.Inventory(t)
		b.whole(t, hooks, b.protecting(b.newBank(t), source))
		b.expect(t, "after deleting", before)
	})
	t.Run("what was kept is lost", func(t *testing.T) {
		before, kept := b.Inventory(t), b.newBank(t)
		b.whole(t, b.Plugin.Hooks(karbor.Protect, b.Type), b.protecting(kept, source))
		source.Lose(t)
		b.whole(t, hooks, b.protecting(kept, source))
		b.expect(t, "after deleting", before)
	})
}

// deleted makes a checkpoint and deletes it, in one life and then in another. It
// reports whether the first got to the call at which it dies.
func (b *bench) deleted(t *testing.T, source Source, l life) bool {
	t.Helper()
	before, kept := b.Inventory(t), b.newBank(t)
	b.faults.arm(-1, life{}.mode, nil)
	b.whole(t, b.Plugin.Hooks(karbor.Protect, b.Type), b.protecting(kept, source))
	b.expectKept(t, "after protecting", before)
	hooks, call := b.Plugin.Hooks(karbor.Delete, b.Type), b.protecting(kept, source)
	err := b.run(t.Context(), l, hooks, call)
	died := !b.faults.alive()
	if !died && err != nil {
		t.Fatalf("deleting: %v", err)
	}
	b.whole(t, hooks, b.reborn(t, call))
	b.faults.deliver()
	b.expect(t, "after deleting", before)
	return died
}
