package protectiontest

import (
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Together protects several sources, destroys them, and restores all of them at
// once as nodes of one restore; then undoes that at once. verify looks at what was
// restored, in the order of the sources, beside each one's own Check.
func Together(t *testing.T, c Case, sources []Source, verify func(t *testing.T, all []Restored)) {
	t.Helper()
	b := newBench(t, c)
	var banks []*bank
	for _, s := range sources {
		kept := b.newBank(t)
		b.whole(t, b.Plugin.Hooks(karbor.Protect, b.Type), b.protecting(kept, s))
		banks = append(banks, kept)
	}
	for _, s := range sources {
		s.Destroy(t)
	}
	empty := b.Inventory(t)
	b.faults.arm(-1, before, nil)
	owner, turns := karbor.NewID(), &protection.Turnstile{}
	var ops []*operation
	var calls []*protection.Call
	for n, s := range sources {
		op := newOperation()
		op.owner, op.turns = owner, turns
		ops, calls = append(ops, op), append(calls, b.call(op, banks[n], s, s.Restore))
	}
	everywhere := func(pick func(protection.Hooks) protection.Hook) {
		t.Helper()
		var running sync.WaitGroup
		failures := make([]error, len(calls))
		for n, call := range calls {
			hook := pick(c.Plugin.Hooks(karbor.RestoreOperation, b.Type))
			running.Go(func() { failures[n] = again(t.Context(), hook, call) })
		}
		running.Wait()
		for n, err := range failures {
			if err != nil {
				t.Fatalf("source %d: %v", n, err)
			}
		}
	}
	everywhere(func(h protection.Hooks) protection.Hook { return h.PrepareBegin })
	everywhere(func(h protection.Hooks) protection.Hook { return h.PrepareFinish })
	everywhere(func(h protection.Hooks) protection.Hook { return h.Main })
	everywhere(func(h protection.Hooks) protection.Hook { return h.Complete })
	var all []Restored
	for n, op := range ops {
		all = append(all, op.restored())
		sources[n].Check(t, all[n])
	}
	verify(t, all)
	everywhere(func(h protection.Hooks) protection.Hook { return h.Undo })
	b.expect(t, "after undoing the restores", empty)
}
