package protectiontest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// bench runs a plug-in's hooks.
type bench struct {
	Case
	faults  *faults
	cloud   karbor.Cloud
	service karbor.Cloud
	// seen is the most of each kind that kills of a restore have left so far.
	seen map[string]count
	// mode is how a process dies: by it things are late.
	mode mode
}

// count is how many things of a kind there are, and how many of them tell nothing of not being finished.
type count struct{ there, bare int }

func newBench(t *testing.T, c Case) *bench {
	b := &bench{Case: c, faults: &faults{base: c.Transport, changesOnly: c.ChangesOnly, left: -1}}
	if b.faults.base == nil {
		b.faults.base = http.DefaultTransport
	}
	b.cloud = c.Session(t, &http.Client{Transport: b.faults})
	if c.Service != nil {
		b.service = c.Service(t, &http.Client{Transport: b.faults})
	}
	return b
}

// newBank makes an empty bank, with bulk data of the case's kind.
func (b *bench) newBank(t *testing.T) *bank {
	kept := newBank()
	if b.Data != nil {
		kept.real = b.Data(t)
	}
	return kept
}

// call makes what a hook gets.
func (b *bench) call(op *operation, kept *bank, source Source, parameters map[string]any) *protection.Call {
	own := records{operation: op, faults: b.faults}
	intents := protection.NewIntents(own, time.Now, b.settling())
	view := checkpoint{bank: kept, faults: b.faults}
	if parameters == nil {
		parameters = map[string]any{}
	}
	return &protection.Call{
		OperationID: op.owner, Owner: op.owner, CheckpointID: kept.owner,
		Installation: protection.First(b.Installation, "here"),
		Graph:        source.Graph, Node: source.Graph.Node(source.Key), Parameters: parameters,
		Documents: view, Data: view.data(), Scratch: intents.Scratch(), Intents: intents, Ledger: &op.ledger, Turns: op.turns, NewResources: own,
		Cloud: b.cloud, Service: b.service,
		Progress: func(int64, int64) {},
		NotKept: func(sentence string) {
			op.mu.Lock()
			defer op.mu.Unlock()
			op.notKept = append(op.notKept, sentence)
		},
		Mapped: func(sentence string) {
			op.mu.Lock()
			defer op.mu.Unlock()
			op.mapped = append(op.mapped, sentence)
		},
	}
}

// reborn gives the call of the process that goes on where another has died: of what that knew there is
// what it has recorded.
func (b *bench) reborn(t *testing.T, call *protection.Call) *protection.Call {
	t.Helper()
	own, ok := call.NewResources.(records)
	if !ok {
		t.Fatal("the call has no records")
	}
	next := *call
	next.Intents = protection.NewIntents(own, time.Now, b.settling())
	next.Scratch = next.Intents.Scratch()
	return &next
}

// settle is the settling time where nothing is late: it is waited for whole where a request never came.
// settleLate is that where the test cloud does late what a dead process has asked for: as somebody looks for it
// a second time, which on a machine that has much else to do may be a while.
const (
	settle     = 400 * time.Millisecond
	settleLate = 1200 * time.Millisecond
)

func (b *bench) settling() time.Duration {
	if b.mode == later {
		return settleLate
	}
	return settle
}

// patience is how often a hook that fails transiently is tried again.
const patience = 100

// again runs a hook as the service does: what may pass is tried again.
func again(ctx context.Context, hook protection.Hook, call *protection.Call) error {
	if hook == nil {
		return nil
	}
	for attempt := 1; ; attempt++ {
		err := hook(ctx, call)
		if err == nil || !karbor.IsTransient(err) || attempt == patience || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// life is how one process runs.
type life struct {
	// dies is the number of calls to the cloud before the one at which the
	// process dies; negative if it lives.
	dies int
	mode mode
	// twice runs each hook a second time.
	twice bool
}

// run runs the hooks of an operation in one life.
func (b *bench) run(ctx context.Context, l life, hooks protection.Hooks, call *protection.Call) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.faults.arm(l.dies, l.mode, cancel)
	for _, hook := range []protection.Hook{hooks.PrepareBegin, hooks.PrepareFinish, hooks.Main, hooks.Complete} {
		if err := again(ctx, hook, call); err != nil {
			return err
		}
		if l.twice {
			if err := again(ctx, hook, call); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) undo(ctx context.Context, hooks protection.Hooks, call *protection.Call) error {
	b.faults.arm(-1, before, nil)
	b.faults.hold()
	if hooks.Undo == nil {
		return nil
	}
	return again(ctx, func(ctx context.Context, call *protection.Call) error {
		err := protection.Undo(ctx, hooks.Undo, call)
		// What the cloud was at comes when Undo has looked.
		b.faults.deliver()
		return err
	}, call)
}

// whole runs an operation in one life that nothing disturbs.
func (b *bench) whole(t *testing.T, hooks protection.Hooks, call *protection.Call) {
	t.Helper()
	if err := b.run(t.Context(), life{dies: -1}, hooks, call); err != nil {
		t.Fatalf("the operation failed: %v", err)
	}
}

// expect compares the inventory with what it should be.
func (b *bench) expect(t *testing.T, what string, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, b.Inventory(t)); diff != "" {
		t.Fatalf("%s: the cloud has not what it should (-want +got):\n%s", what, diff)
	}
}

// expectKept compares the inventory with what it was before a checkpoint was made, and
// what the checkpoint keeps.
func (b *bench) expectKept(t *testing.T, what string, before []string) {
	t.Helper()
	now := b.Inventory(t)
	added := slices.DeleteFunc(slices.Clone(now), func(line string) bool { return slices.Contains(before, line) })
	if len(added) != b.Keeps || len(now) != len(before)+b.Keeps {
		t.Fatalf("%s: the cloud has not what it should: %d things are to be kept (-before +now):\n%s", what, b.Keeps, cmp.Diff(before, now))
	}
}

// unfinished reports whether a line of an inventory, or what is known of a thing, has the mark of what
// a restore is not done with.
func unfinished(text string) bool {
	return strings.Contains(text, protection.RestoringTag) || strings.Contains(text, "karbor-restoring-")
}

// expectFinished looks, behind a restore, for what bears the mark still.
func (b *bench) expectFinished(t *testing.T) {
	t.Helper()
	for _, line := range b.Inventory(t) {
		if unfinished(line) {
			t.Errorf("the restore is over, and leaves its mark on what it has finished: %s", line)
		}
	}
}

// expectMarked looks, behind a kill in the midst of a restore, whether all that has come since the kill
// before tells that it is not finished, or is there for a while only: it has to from the request on that
// makes it. What an earlier request has made may be whole by now.
func (b *bench) expectMarked(t *testing.T, before []string) {
	t.Helper()
	there, bare := map[string]int{}, map[string][]string{}
	for _, line := range b.Inventory(t) {
		if slices.Contains(before, line) {
			continue
		}
		there[kindOf(line)]++
		needless := markless(line) || b.Markless != nil && b.Markless(line)
		if !needless && !unfinished(line) && !strings.Contains(line, protection.TemporaryTag) {
			bare[kindOf(line)] = append(bare[kindOf(line)], line)
		}
	}
	for kind, n := range there {
		seen := b.seen[kind]
		if n > seen.there && len(bare[kind]) > seen.bare {
			t.Errorf("the process has died, and nothing tells that one of these is not finished:\n%s", strings.Join(bare[kind], "\n"))
		}
		b.seen[kind] = count{max(seen.there, n), max(seen.bare, len(bare[kind]))}
	}
}

// kindOf gives the kind of a line of an inventory: its first word.
func kindOf(line string) string {
	kind, _, _ := strings.Cut(line, " ")
	return kind
}

// markless reports whether a line is of a thing that has nothing which could bear a mark, or of one that
// goes with another: a secret, a keypair, and the port by which the cloud joins a network to a router.
func markless(line string) bool {
	return kindOf(line) == "secrets" || kindOf(line) == "keypairs" || strings.HasSuffix(line, ofRouter)
}

// ofRouter ends the line of a router's port.
const ofRouter = ", of a router"

// protecting begins an operation that makes a checkpoint in kept.
func (b *bench) protecting(kept *bank, source Source) *protection.Call {
	op := newOperation()
	op.owner = kept.owner
	return b.call(op, kept, source, source.Options)
}
