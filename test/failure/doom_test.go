package failure

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protection"
)

// doom is what a process of the service dies of, by its own hand: the boundaries of its
// work are counted from when it gets the signal arm, and at the At-th it gets SIGKILL.
// Boundaries are the begin and the end of each hook, and of each change of a bank.
type doom struct {
	At int
	// Planted is a bug that the process has besides: see plant.
	Planted string
}

// arm is the signal from which on boundaries are counted, count that which asks how many
// there were.
const (
	arm   = syscall.SIGUSR1
	count = syscall.SIGUSR2
)

// boundaries counts them.
type boundaries struct {
	at     int64
	armed  atomic.Bool
	passed atomic.Int64
}

// newBoundaries counts in this process, once it is told to.
func newBoundaries(at int) *boundaries {
	b := &boundaries{at: int64(at)}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, arm, count)
	go func() {
		for s := range signals {
			if s == count {
				fmt.Println(passedWord, b.passed.Load())
				continue
			}
			b.passed.Store(0)
			b.armed.Store(true)
			fmt.Println(armedWord)
		}
	}()
	return b
}

// What a process tells its test: a line that begins with one of these words.
const (
	armedWord  = "armed"
	passedWord = "passed"
	diesWord   = "dies"
)

// pass is called at each boundary.
func (b *boundaries) pass(format string, args ...any) {
	if !b.armed.Load() || b.passed.Add(1) != b.at {
		return
	}
	fmt.Println(diesWord, fmt.Sprintf(format, args...))
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nobody survives it
	select {}
}

// doomed gives the plug-ins that pass boundaries, with the planted bug if there is one.
func doomed(sets provider.Sets, d doom) provider.Sets {
	b := newBoundaries(d.At)
	for i, p := range sets.Banks {
		sets.Banks[i] = p.Through(func(inner bank.Bank) bank.Bank {
			if d.Planted == earlyPublish {
				inner = eager{inner}
			}
			return mortalBank{inner, b}
		})
	}
	for i, p := range sets.Protections {
		sets.Protections[i] = p.Through(func(inner protection.Plugin) protection.Plugin {
			return mortalPlugin{inner, b, d.Planted}
		})
	}
	return sets
}

// mortalBank is a bank whose changes are boundaries.
type mortalBank struct {
	bank.Bank
	*boundaries
}

func (m mortalBank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	m.pass("before putting %s", key)
	err := m.Bank.Put(ctx, key, body, size)
	m.pass("after putting %s", key)
	return err
}

func (m mortalBank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	m.pass("before creating %s", key)
	err := m.Bank.Create(ctx, key, body, size)
	m.pass("after creating %s", key)
	return err
}

func (m mortalBank) Delete(ctx context.Context, key string) error {
	m.pass("before deleting %s", key)
	err := m.Bank.Delete(ctx, key)
	m.pass("after deleting %s", key)
	return err
}

// mortalPlugin is a plug-in whose hooks begin and end at boundaries.
type mortalPlugin struct {
	protection.Plugin
	*boundaries
	planted string
}

func (m mortalPlugin) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	h := m.Plugin.Hooks(op, t)
	for _, one := range []struct {
		name string
		hook *protection.Hook
	}{
		{"prepare_begin", &h.PrepareBegin}, {"prepare_finish", &h.PrepareFinish}, {"main", &h.Main},
		{"complete", &h.Complete}, {"undo", &h.Undo},
	} {
		inner := *one.hook
		if inner == nil {
			continue
		}
		what := fmt.Sprintf("%s of %s of %s", one.name, op, t)
		*one.hook = func(ctx context.Context, call *protection.Call) error {
			m.pass("before %s", what)
			err := plant(m.planted, one.name, inner)(ctx, call)
			m.pass("after %s", what)
			return err
		}
	}
	return h
}

// The planted bugs. The tests that kill processes must find each of them.
const (
	// deadJanitor removes nothing, and says that it has.
	deadJanitor = "dead janitor"
	// duplicating hooks do not find again what an earlier run of them made.
	duplicating = "a hook that duplicates instead of adopting"
	// earlyPublish makes a checkpoint available before its data is there.
	earlyPublish = "early publish"
	// lostOutbox forgets what was accepted when the process ends.
	lostOutbox = "lost outbox"
)

// plant gives a hook with a bug.
func plant(bug, name string, inner protection.Hook) protection.Hook {
	switch {
	case bug == deadJanitor && name == "undo":
		return func(context.Context, *protection.Call) error { return nil }
	case bug == duplicating:
		return func(ctx context.Context, call *protection.Call) error {
			blind := *call
			// Another tag each time, and a record that is always empty.
			blind.Owner, blind.Scratch, blind.Intents = karbor.NewID(), forgetful{}, nil
			return inner(ctx, &blind)
		}
	}
	return inner
}

// forgetful is a scratch record that keeps nothing.
type forgetful struct{}

func (forgetful) Load(context.Context, any) error { return nil }
func (forgetful) Save(context.Context, any) error { return nil }

// eager makes each checkpoint available together with its first state.
type eager struct{ bank.Bank }

func (e eager) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	parts := strings.Split(key, "/")
	if !slices.Contains(parts, "states") || parts[len(parts)-1] != "00000001" {
		return e.Bank.Create(ctx, key, body, size)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if err := e.Bank.Create(ctx, key, strings.NewReader(string(text)), size); err != nil {
		return err
	}
	second := strings.Replace(strings.Replace(string(text), `"protecting"`, `"available"`, 1), `"sequence":1`, `"sequence":2`, 1)
	return e.Bank.Create(ctx, strings.TrimSuffix(key, "1")+"2", strings.NewReader(second), int64(len(second)))
}
