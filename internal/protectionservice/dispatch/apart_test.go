package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
)

// patience bounds what a test waits for; it never decides what is right.
const patience = 30 * time.Second

// scripted is an engine that knows nothing, tells what it is given, and forgets as a test says.
type scripted struct {
	workflow.Engine
	started chan string
	forget  func(ctx context.Context, id string) error
}

func (e scripted) Start(_ context.Context, id string, _ workflow.Graph) error {
	e.started <- id
	return nil
}

func (scripted) Describe(_ context.Context, id string) (workflow.Description, error) {
	return workflow.Description{}, karbor.Errorf(karbor.NotFound, "no operation %s", id)
}

func (e scripted) Forget(ctx context.Context, id string) error { return e.forget(ctx, id) }

// desk is a dispatcher over a store of its own, whose clock is ahead.
func desk(t *testing.T, e scripted, ahead time.Duration, operation func(context.Context, *store.Store, string) (store.Operation, error)) (*Dispatcher, *store.Store) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := New(Options{
		Store: s, Logger: log, Now: func() time.Time { return time.Now().Add(ahead) },
		Operation: func(ctx context.Context, id string) (store.Operation, error) { return operation(ctx, s, id) },
		Steps:     func(store.Operation) (workflow.Steps, error) { return nil, nil },
		End:       func(context.Context, store.Operation, *workflow.Failure) error { return nil },
	})
	d.SetEngine(e)
	return d, s
}

func plain(ctx context.Context, s *store.Store, id string) (store.Operation, error) {
	return s.Operation(ctx, id)
}

func accepted(t *testing.T, s *store.Store) string {
	t.Helper()
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a.Operation.ID
}

// run runs a dispatcher until the test ends.
func run(t *testing.T, d *Dispatcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var over sync.WaitGroup
	over.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { cancel(); over.Wait() })
}

func TestAnOperationThatCannotBeStartedKeepsNoOtherFromBeingFoundAgain(t *testing.T) {
	e := scripted{started: make(chan string, 10), forget: func(context.Context, string) error { return nil }}
	damaged := ""
	d, s := desk(t, e, 0, func(ctx context.Context, s *store.Store, id string) (store.Operation, error) {
		if id == damaged {
			return store.Operation{}, errors.New("its graph can't be read")
		}
		return s.Operation(ctx, id)
	})
	damaged = accepted(t, s)
	lost := accepted(t, s)
	if err := s.Dispatched(t.Context(), lost); err != nil { // the engine had it, and has lost it
		t.Fatal(err)
	}
	run(t, d)
	select {
	case id := <-e.started:
		if id != lost {
			t.Errorf("%s was started", id)
		}
	case <-time.After(patience):
		t.Error("what the engine has lost is never handed over again")
	}
}

func TestAnOperationThatTheEngineCannotForgetKeepsNoOtherFromBeingForgotten(t *testing.T) {
	var hangs string
	forgotten := make(chan string, 10)
	e := scripted{started: make(chan string, 10), forget: func(_ context.Context, id string) error {
		if id == hangs {
			return karbor.Errorf(karbor.Conflict, "the operation %s is not over", id)
		}
		forgotten <- id
		return nil
	}}
	d, s := desk(t, e, 2*time.Hour, plain)
	hangs = accepted(t, s)
	other := accepted(t, s)
	for _, id := range []string{hangs, other} {
		if err := s.EndOperation(t.Context(), id, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, d)
	select {
	case <-forgotten:
	case <-time.After(patience):
		t.Error("what ended after an operation whose hook hangs is never forgotten")
	}
}

func TestWhatTheEngineTakesLongToForgetKeepsNothingFromBeingStarted(t *testing.T) {
	forgetting := make(chan struct{}, 10)
	e := scripted{started: make(chan string, 10), forget: func(ctx context.Context, _ string) error {
		forgetting <- struct{}{}
		<-ctx.Done() // as Temporal's may for two minutes for each
		return ctx.Err()
	}}
	d, s := desk(t, e, 2*time.Hour, plain)
	old := accepted(t, s)
	if err := s.EndOperation(t.Context(), old, store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}); err != nil {
		t.Fatal(err)
	}
	run(t, d)
	<-forgetting
	id := accepted(t, s)
	d.Wake()
	select {
	case got := <-e.started:
		if got != id {
			t.Errorf("%s was started", got)
		}
	case <-time.After(patience):
		t.Error("what is accepted waits until the engine has forgotten what is long over")
	}
}
