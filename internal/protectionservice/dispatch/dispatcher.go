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

// Options of New. All but Deadline and Recorded are needed.
type Options struct {
	Store *store.Store
	// Operation gives an operation as it was accepted.
	Operation func(ctx context.Context, id string) (store.Operation, error)
	// Steps writes the flow of an operation; an error says why nobody can carry it out.
	Steps func(store.Operation) (workflow.Steps, error)
	// End ends an operation, as it lies, as failed.
	End func(ctx context.Context, op store.Operation, f *workflow.Failure) error
	// EndUnread does the same for one of which nothing but its columns can be read: its graph,
	// its parameters and its choices are empty.
	EndUnread func(ctx context.Context, op store.Operation, f *workflow.Failure) error
	// Recorded ends an operation that has come to its end already where that is kept besides its row,
	// and reports whether it has. It is asked of what may have begun before; nil is no.
	Recorded func(ctx context.Context, op store.Operation) (over bool, err error)
	// Again asks once more for what an operation has failed to do, and says what came of it.
	Again func(ctx context.Context, op store.Operation) (answer string, err error)
	// Deadline is how old an operation may become: then it is cancelled; 0 sets none.
	Deadline time.Duration
	// Limits bound how many operations are at work at a time.
	Limits Limits
	Now    func() time.Time
	Logger *slog.Logger
}

// Dispatcher hands operations to the engine. It is safe for concurrent use.
type Dispatcher struct {
	store     *store.Store
	operation func(ctx context.Context, id string) (store.Operation, error)
	steps     func(store.Operation) (workflow.Steps, error)
	end       ending
	endUnread ending
	recorded  func(ctx context.Context, op store.Operation) (bool, error)
	again     func(ctx context.Context, op store.Operation) (string, error)
	deadline  time.Duration
	limits    Limits
	now       func() time.Time
	log       *slog.Logger

	engine workflow.Engine
	// wake tells Run that the outbox has something; it holds at most one call.
	wake chan struct{}
	// handed are operations in the outbox that the engine has: Run's own.
	handed map[string]bool
	places places
}

// New makes a dispatcher. It needs an engine (SetEngine) before anything else.
func New(o Options) *Dispatcher {
	return &Dispatcher{
		store: o.Store, operation: o.Operation, steps: o.Steps, end: o.End, endUnread: o.EndUnread, recorded: o.Recorded, again: o.Again, deadline: o.Deadline, limits: o.Limits,
		now: o.Now, log: o.Logger, wake: make(chan struct{}, 1), handed: map[string]bool{}, places: places{entering: newTally()},
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
