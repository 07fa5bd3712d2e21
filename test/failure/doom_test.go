package failure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protection"
)

// doom is what a process of the service dies of, by its own hand: the boundaries of its
// work are counted from when it gets the signal arm, and at the At-th of a kind it gets SIGKILL.
// Boundaries are the begin and the end of each hook, and of each change of a bank.
type doom struct {
	At int
	// Kind is that of the boundary (see kindOf); "" counts all.
	Kind string
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
	doom doom

	mu    sync.Mutex
	armed bool
	// total is how many there were, passed how many of each kind.
	total  int
	passed map[string]int
}

// newBoundaries counts in this process, once it is told to.
func newBoundaries(d doom) *boundaries {
	b := &boundaries{doom: d}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, arm, count)
	go func() {
		for s := range signals {
			b.told(s)
		}
	}()
	return b
}

// told answers a signal.
func (b *boundaries) told(s os.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == count {
		text, _ := json.Marshal(b.passed) // texts and numbers
		fmt.Println(passedWord, string(text))
		return
	}
	b.armed, b.total, b.passed = true, 0, map[string]int{}
	fmt.Println(armedWord)
}

// What a process tells its test: a line that begins with one of these words.
const (
	armedWord  = "armed"
	passedWord = "passed"
	diesWord   = "dies"
)

// pass is called at each boundary, and told what is before or behind it, and the key or resource.
func (b *boundaries) pass(what, of string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.armed {
		return
	}
	kind := what + " " + kindOf(of)
	b.total++
	b.passed[kind]++
	n := b.total
	if b.doom.Kind != "" {
		n = b.passed[kind]
	}
	if n != b.doom.At || b.doom.Kind != "" && b.doom.Kind != kind {
		return
	}
	fmt.Println(diesWord, what, of)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nobody survives it
	select {}
}

// word is a part of a key that names no single thing.
var word = regexp.MustCompile(`^(v1|[a-z][a-z-]{3,}|OS::[A-Za-z:]+)$`)

// kindOf gives a key of a bank without what names single things: one of each of the others.
func kindOf(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		switch {
		case strings.Contains(p, "@") && slices.Contains(parts, "leases"):
			parts[i] = "CLAIM"
		case !word.MatchString(p):
			parts[i] = "*"
		}
	}
	return strings.Join(slices.Compact(parts), "/")
}

// doomed gives the plug-ins that pass boundaries, with the planted bug if there is one.
func doomed(sets provider.Sets, d doom) provider.Sets {
	b := newBoundaries(d)
	for i, p := range sets.Banks {
		sets.Banks[i] = p.Through(func(inner bank.Bank) bank.Bank {
			return mortalBank{plantBank(d.Planted, inner), b}
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
	m.pass("before putting", key)
	err := m.Bank.Put(ctx, key, body, size)
	m.pass("after putting", key)
	return err
}

func (m mortalBank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	m.pass("before creating", key)
	err := m.Bank.Create(ctx, key, body, size)
	m.pass("after creating", key)
	return err
}

func (m mortalBank) Delete(ctx context.Context, key string) error {
	m.pass("before deleting", key)
	err := m.Bank.Delete(ctx, key)
	m.pass("after deleting", key)
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
		what := fmt.Sprintf("%s in %s of", one.name, op)
		*one.hook = func(ctx context.Context, call *protection.Call) error {
			m.pass("before "+what, string(t))
			err := plant(m.planted, one.name, inner)(ctx, call)
			m.pass("after "+what, string(t))
			return err
		}
	}
	return h
}
