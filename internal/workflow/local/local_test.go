package local_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
	"github.com/karbor/karbor/internal/workflow/workflowtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a journal that can be held or cut off, as that of a process that is
// frozen or killed.
type gate struct {
	local.Journal
	mu     sync.Mutex
	killed bool
	// open is closed as long as writes go through.
	open chan struct{}
}

func newGate(j local.Journal) *gate {
	g := &gate{Journal: j, open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

func (g *gate) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.killed = true
}

// pass waits until the gate is open. Of a killed process nothing comes through.
func (g *gate) pass() error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.killed {
		return local.ErrFenced
	}
	return nil
}

func (g *gate) Record(ctx context.Context, token int64, batch local.Batch) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Journal.Record(ctx, token, batch)
}

func (g *gate) Renew(ctx context.Context, token int64, now time.Time, lasting time.Duration) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Journal.Renew(ctx, token, now, lasting)
}

func (g *gate) Release(ctx context.Context, token int64) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Journal.Release(ctx, token)
}

// process is a running engine.
type process struct {
	engine *local.Engine
	gate   *gate
	end    context.CancelFunc
	over   chan struct{}
	err    error
}

// start runs an engine over a store.
func start(t *testing.T, s *store.Store, options local.Options) *process {
	t.Helper()
	p := &process{gate: newGate(s.Journal()), over: make(chan struct{})}
	options.Journal, options.Now = p.gate, time.Now
	engine, err := local.New(options)
	if err != nil {
		t.Fatal(err)
	}
	p.engine = engine
	ctx, end := context.WithCancel(context.Background())
	p.end = end
	go func() {
		defer close(p.over)
		p.err = engine.Run(ctx)
	}()
	return p
}

func (p *process) stop() {
	p.end()
	<-p.over
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestLocalKeepsTheContract(t *testing.T) {
	contract(t, 0, func(t *testing.T) *store.Store { return openStore(t) })
}

func TestLocalKeepsTheContractWhenEndsLinger(t *testing.T) {
	contract(t, 20*time.Millisecond, func(t *testing.T) *store.Store { return openStore(t) })
}

// contract runs the suite of engines over stores that open makes.
func contract(t *testing.T, linger time.Duration, open func(t *testing.T) *store.Store) {
	workflowtest.Run(t, func(t *testing.T, options workflow.Options) workflowtest.Harness {
		s := open(t)
		all := []*process{}
		run := func(owner string) *process {
			p := start(t, s, local.Options{Options: options, Owner: owner, LeaseFor: 3 * time.Second, Linger: linger})
			all = append(all, p)
			return p
		}
		current := run("first")
		frozen := current
		owner := "first"
		t.Cleanup(func() {
			for _, p := range all {
				p.stop()
			}
		})
		return workflowtest.Harness{
			Engine: current.engine,
			Stop:   func() { current.stop() },
			Kill: func() {
				current.gate.kill()
				current.end()
			},
			Freeze: func() {
				frozen, owner = current, "second"
				current.gate.freeze()
			},
			Thaw: func() {
				frozen.gate.thaw()
				<-frozen.over
				if !errors.Is(frozen.err, local.ErrFenced) && frozen.err == nil {
					t.Errorf("the late engine ended with %v", frozen.err)
				}
			},
			Restart: func() workflow.Engine {
				current = run(owner)
				return current.engine
			},
		}
	})
}
