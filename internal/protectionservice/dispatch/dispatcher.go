// Package dispatch hands accepted operations to the engine: what the outbox holds is started,
// what the engine has lost is handed over again, what is over for the engine alone is ended, and
// what is asked of operations (to cancel, to fail, to try again) is carried out, whatever process
// dies. So every operation comes to its end.
package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Options of New. All but Deadline are needed.
type Options struct {
	Store *store.Store
	// Operation gives an operation as it was accepted.
	Operation func(ctx context.Context, id string) (store.Operation, error)
	// Steps writes the flow of an operation; an error says why nobody can carry it out.
	Steps func(store.Operation) (workflow.Steps, error)
	// End ends an operation, as it lies, as failed.
	End func(ctx context.Context, op store.Operation, f *workflow.Failure) error
	// Again asks once more for what an operation has failed to do, and says what came of it.
	Again func(ctx context.Context, op store.Operation) (answer string, err error)
	// Deadline is how old an operation may become: then it is cancelled; 0 sets none.
	Deadline time.Duration
	Now      func() time.Time
	Logger   *slog.Logger
}

// Dispatcher hands operations to the engine. It is safe for concurrent use.
type Dispatcher struct {
	store     *store.Store
	operation func(ctx context.Context, id string) (store.Operation, error)
	steps     func(store.Operation) (workflow.Steps, error)
	end       func(ctx context.Context, op store.Operation, f *workflow.Failure) error
	again     func(ctx context.Context, op store.Operation) (string, error)
	deadline  time.Duration
	now       func() time.Time
	log       *slog.Logger

	engine workflow.Engine
	// wake tells Run that the outbox has something; it holds at most one call.
	wake chan struct{}
	// handed are operations in the outbox that the engine has: Run's own.
	handed map[string]bool
}

// New makes a dispatcher. It needs an engine (SetEngine) before anything else.
func New(o Options) *Dispatcher {
	return &Dispatcher{
		store: o.Store, operation: o.Operation, steps: o.Steps, end: o.End, again: o.Again, deadline: o.Deadline,
		now: o.Now, log: o.Logger, wake: make(chan struct{}, 1), handed: map[string]bool{},
	}
}

// SetEngine sets the engine. It is called once.
func (d *Dispatcher) SetEngine(e workflow.Engine) { d.engine = e }

// Wake tells Run that the outbox has something.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
