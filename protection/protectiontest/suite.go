package protectiontest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Run runs the whole suite.
func Run(t *testing.T, c Case) {
	t.Run("the schemas are valid and refuse unknown members", func(t *testing.T) { testSchemas(t, c) })
	b := newBench(t, c)
	t.Run("what is protected and destroyed comes back", b.testRoundTrip)
	t.Run("each hook can run twice", b.testTwice)
	t.Run("what is protected is verified, and what is lost is found", b.testVerify)
	t.Run("what a checkpoint keeps in the cloud goes with it", b.testDelete)
	t.Run("a source that is not there fails for good", b.testVanished)
	t.Run("protect says what it was refused, and can be undone", func(t *testing.T) { b.testRefusals(t, karbor.Protect) })
	t.Run("restore says what it was refused, and can be undone", func(t *testing.T) { b.testRefusals(t, karbor.RestoreOperation) })
	t.Run("protect survives a kill at every call", func(t *testing.T) { b.testKills(t, karbor.Protect, false) })
	t.Run("a killed protect can be undone", func(t *testing.T) { b.testKills(t, karbor.Protect, true) })
	t.Run("restore survives a kill at every call", func(t *testing.T) { b.testKills(t, karbor.RestoreOperation, false) })
	t.Run("a killed restore can be undone", func(t *testing.T) { b.testKills(t, karbor.RestoreOperation, true) })
}

// Life protects, verifies, destroys, restores, compares and deletes once, for clouds
// where the whole suite takes too long.
func Life(t *testing.T, c Case) {
	b := newBench(t, c)
	t.Run("what is protected and destroyed comes back", b.testRoundTrip)
	t.Run("what is protected is verified, and what is lost is found", b.testVerify)
	t.Run("what a checkpoint keeps in the cloud goes with it", func(t *testing.T) {
		source := b.Make(t)
		defer source.Destroy(t)
		b.deleted(t, source, life{dies: -1})
	})
}

// RoundTrip runs that part of the suite that protects, destroys and restores once,
// for clouds where the whole takes too long.
func RoundTrip(t *testing.T, c Case) { newBench(t, c).testRoundTrip(t) }

// Refused protects and destroys a source, has its restore fail, undoes that, and gives
// the error. What is left behind fails the test.
func Refused(t *testing.T, c Case) error {
	return newBench(t, c).refused(t, true)
}

// RefusedUnforeseen is Refused for what no look ahead can find.
func RefusedUnforeseen(t *testing.T, c Case) error {
	return newBench(t, c).refused(t, false)
}

func (b *bench) refused(t *testing.T, foreseen bool) error {
	source, kept := b.protected(t, life{dies: -1})
	if found := b.preflight(t, source, kept); found != foreseen {
		t.Errorf("looking ahead finds that the restore fails: %v; want %v", found, foreseen)
	}
	_, call, remove := b.restore(t, source, kept)
	defer remove()
	before := b.Inventory(t)
	hooks := b.Plugin.Hooks(karbor.RestoreOperation, b.Type)
	err := b.run(t.Context(), life{dies: -1}, hooks, call)
	if err == nil {
		t.Fatal("the restore does not fail")
	}
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Fatalf("undoing the restore: %v", err)
	}
	b.expect(t, "after undoing the restore", before)
	return err
}

func testSchemas(t *testing.T, c Case) {
	schemas := c.Plugin.Schemas(c.Type)
	for name, text := range map[string][]byte{
		"Options": schemas.Options, "Restore": schemas.Restore, "Verify": schemas.Verify, "SavedInfo": schemas.SavedInfo,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Errorf("%s is not JSON: %v", name, err)
			continue
		}
		compiler := jsonschema.NewCompiler()
		compiler.DefaultDraft(jsonschema.Draft4)
		if err := compiler.AddResource("schema.json", document); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		schema, err := compiler.Compile("schema.json")
		if err != nil {
			t.Errorf("%s is not a schema of draft 4: %v", name, err)
			continue
		}
		if err := schema.Validate(map[string]any{}); err != nil {
			t.Errorf("%s refuses an empty object: %v", name, err)
		}
		if err := schema.Validate(map[string]any{"karbor_unknown_member": "x"}); err == nil {
			t.Errorf("%s takes a member that it does not know", name)
		}
	}
}

// protected protects a new source, and destroys it.
func (b *bench) protected(t *testing.T, l life) (Source, *bank) {
	t.Helper()
	source, kept := b.Make(t), b.newBank(t)
	before := b.Inventory(t)
	b.foresee(t, source)
	call := b.protecting(kept, source)
	if err := b.run(t.Context(), l, b.Plugin.Hooks(karbor.Protect, b.Type), call); err != nil {
		t.Fatalf("protecting: %v", err)
	}
	expectReleased(t, call)
	b.expectKept(t, "after protecting", before)
	source.Destroy(t)
	return source, kept
}

// restore begins a restore with the children in place.
func (b *bench) restore(t *testing.T, source Source, kept *bank) (op *operation, call *protection.Call, remove func()) {
	t.Helper()
	op, remove = newOperation(), func() {}
	if source.Children != nil {
		children, drop := source.Children(t)
		maps.Copy(op.nodes, children.Nodes)
		maps.Copy(op.parts, children.Parts)
		if drop != nil {
			remove = func() { drop(t) }
		}
	}
	return op, b.call(op, kept, source, source.Restore), remove
}

func (b *bench) testRoundTrip(t *testing.T) { b.roundTrip(t, life{dies: -1}) }
func (b *bench) testTwice(t *testing.T)     { b.roundTrip(t, life{dies: -1, twice: true}) }

func (b *bench) roundTrip(t *testing.T, l life) {
	source, kept := b.protected(t, l)
	if b.preflight(t, source, kept) {
		t.Error("looking ahead finds that a restore fails which does not")
	}
	op, call, remove := b.restore(t, source, kept)
	defer remove()
	before := b.Inventory(t)
	hooks := b.Plugin.Hooks(karbor.RestoreOperation, b.Type)
	if err := b.run(t.Context(), l, hooks, call); err != nil {
		t.Fatalf("restoring: %v", err)
	}
	expectReleased(t, call)
	restored := op.restored()
	if restored.ID == "" {
		t.Fatal("the restore did not tell the new id")
	}
	b.expectFinished(t)
	source.Check(t, restored)
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Fatalf("undoing the restore: %v", err)
	}
	b.expect(t, "after undoing the restore", before)
}

func (b *bench) testVanished(t *testing.T) {
	source := b.Make(t)
	source.Destroy(t)
	hooks, call := b.Plugin.Hooks(karbor.Protect, b.Type), b.call(newOperation(), b.newBank(t), source, source.Options)
	before := b.Inventory(t)
	err := b.run(t.Context(), life{dies: -1}, hooks, call)
	if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Internal {
		t.Errorf("protecting a source that is not there gave %v; want a lasting error that the tenant can read", err)
	}
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Errorf("undoing: %v", err)
	}
	b.expect(t, "after undoing", before)
}

// testKills runs an operation again and again, and kills it at its first call, at
// its second, and so on, before the cloud sees the call, after it has done it, and
// while it is still to do it; then either goes on with it in a new life, or undoes
// it.
func (b *bench) testKills(t *testing.T, what karbor.OperationType, undo bool) {
	hooks := b.Plugin.Hooks(what, b.Type)
	source, kept, remove := b.ready(t, what)
	defer remove()
	for m := range later + 1 {
		b.seen, b.mode = map[string]count{}, m
		for n := 0; ; n++ {
			name := fmt.Sprintf("call %d, %s", n, modeNames[m])
			died := false
			ok := t.Run(name, func(t *testing.T) {
				died = b.kill(t, what, hooks, source, kept, life{dies: n, mode: m}, undo)
			})
			if !ok {
				return
			}
			if !died {
				break
			}
		}
	}
}

// ready gives a source to protect, or one that was protected and is gone, with the bank that has it.
func (b *bench) ready(t *testing.T, what karbor.OperationType) (source Source, kept *bank, remove func()) {
	t.Helper()
	if what == karbor.Protect {
		source = b.Make(t)
		return source, b.newBank(t), func() { source.Destroy(t) }
	}
	source, kept = b.protected(t, life{dies: -1})
	return source, kept, func() {}
}

// begin begins an operation; a protect has a bank of its own.
func (b *bench) begin(t *testing.T, what karbor.OperationType, source Source, kept *bank) (op *operation, call *protection.Call, remove func()) {
	t.Helper()
	if what != karbor.Protect {
		return b.restore(t, source, kept)
	}
	return nil, b.protecting(b.newBank(t), source), func() {}
}

// kill runs one operation that dies, and what follows. It reports whether the
// operation got to the call at which it dies.
func (b *bench) kill(t *testing.T, what karbor.OperationType, hooks protection.Hooks, source Source, kept *bank, l life, undo bool) bool {
	op, call, remove := b.begin(t, what, source, kept)
	defer remove()
	empty := b.Inventory(t)
	err := b.run(t.Context(), l, hooks, call)
	died := !b.faults.alive()
	b.faults.arm(-1, before, nil)
	if !died && err != nil {
		t.Fatalf("the operation failed without a kill: %v", err)
	}
	if died && err == nil {
		t.Fatal("a hook reported success although the process was dead")
	}
	if died && what == karbor.RestoreOperation && l.mode != later { // what comes later is looked for in its time
		b.expectMarked(t, empty)
	}
	call = b.reborn(t, call)
	if !undo {
		b.whole(t, hooks, call)
		if what == karbor.RestoreOperation {
			b.expectFinished(t)
			source.Check(t, op.restored())
		} else if b.expectKept(t, "after protecting", empty); b.Keeps == 0 {
			return died
		}
	}
	// Once, as the service does it.
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Fatalf("undoing: %v", err)
	}
	b.expect(t, "after undoing", empty)
	return died
}

// Idle checks a plug-in that does nothing for a type: all its hooks are nil, so
// that they cost nothing, and its schemas hold what they promise.
func Idle(t *testing.T, p protection.Plugin, r karbor.ResourceType) {
	t.Helper()
	testSchemas(t, Case{Plugin: p, Type: r})
	for _, op := range []karbor.OperationType{karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete} {
		h := p.Hooks(op, r)
		if h.PrepareBegin != nil || h.PrepareFinish != nil || h.Main != nil || h.Complete != nil || h.Undo != nil {
			t.Errorf("%s of a %s has hooks", op, r)
		}
	}
}

// Quiet checks a plug-in that only tells something of a node, and needs no cloud for it:
// its hooks are told the node, and no more, and give the sentences for the tenant.
func Quiet(t *testing.T, p protection.Plugin, node *karbor.Node) (sentences []string) {
	t.Helper()
	testSchemas(t, Case{Plugin: p, Type: node.Type})
	for _, op := range []karbor.OperationType{karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete} {
		h := p.Hooks(op, node.Type)
		if h.PrepareBegin != nil || h.PrepareFinish != nil || h.Complete != nil || h.Undo != nil || h.Main != nil && !h.Offline {
			t.Errorf("%s of a %s does more than to tell", op, node.Type)
		}
		if h.Main == nil {
			continue
		}
		tell := func(sentence string) { sentences = append(sentences, sentence) }
		if err := h.Main(t.Context(), &protection.Call{Node: node, NotKept: tell}); err != nil {
			t.Errorf("%s of a %s: %v", op, node.Type, err)
		}
	}
	return sentences
}
