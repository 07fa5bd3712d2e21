package local_test

import (
	"context"
	"errors"
	"fmt"
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
	// asked is closed when the lease was asked for.
	asked  func()
	mu     sync.Mutex
	killed bool
	// open is closed as long as writes go through.
	open chan struct{}
}

func newGate(j local.Journal) *gate {
	g := &gate{Journal: j, asked: func() {}, open: make(chan struct{})}
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

func (g *gate) Acquire(ctx context.Context, owner string, lasting time.Duration) (int64, time.Duration, error) {
	defer g.asked()
	return g.Journal.Acquire(ctx, owner, lasting)
}

func (g *gate) Record(ctx context.Context, token int64, batch local.Batch) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Journal.Record(ctx, token, batch)
}

func (g *gate) Renew(ctx context.Context, token int64, lasting time.Duration) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Journal.Renew(ctx, token, lasting)
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
	// asked is closed when it has asked for the lease.
	asked <-chan struct{}
	over  chan struct{}
	err   error
}

// start runs an engine over a store.
func start(t *testing.T, s *store.Store, options local.Options) *process {
	t.Helper()
	asked := make(chan struct{})
	p := &process{gate: newGate(s.Journal()), asked: asked, over: make(chan struct{})}
	p.gate.asked = sync.OnceFunc(func() { close(asked) })
	options.Journal = p.gate
	if options.Now == nil {
		options.Now = time.Now
	}
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
	contract(t, 0, openFile)
}

func TestLocalKeepsTheContractWhenEndsLinger(t *testing.T) {
	contract(t, 20*time.Millisecond, openFile)
}

// opener gives a process with a clock the database of a test.
type opener func(now func() time.Time) *store.Store

// openFile makes a database in a file. It has no clock but that of its machine, which is that of
// all its processes.
func openFile(t *testing.T) opener {
	s := openStore(t)
	return func(func() time.Time) *store.Store { return s }
}

// contract runs the suite of engines over databases that open makes.
func contract(t *testing.T, linger time.Duration, open func(t *testing.T) opener) {
	workflowtest.Run(t, func(t *testing.T, options workflow.Options) workflowtest.Harness {
		database := open(t)
		all := []*process{}
		runWith := func(owner string, now func() time.Time) *process {
			p := start(t, database(now), local.Options{Options: options, Owner: owner, Now: now, LeaseFor: 3 * time.Second, Linger: linger})
			all = append(all, p)
			t.Cleanup(p.stop)
			return p
		}
		run := func(owner string) *process { return runWith(owner, time.Now) }
		current := run("first")
		frozen := current
		owner := "first"
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
			Beside: func(b workflowtest.Beside) workflow.Engine {
				name := fmt.Sprint("beside ", len(all))
				if b.Twin {
					name = "first"
				}
				current = runWith(name, func() time.Time { return time.Now().Add(b.Ahead) })
				<-current.asked
				return current.engine
			},
		}
	})
}
