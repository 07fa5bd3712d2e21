// Package local is the engine of a small site: it runs operations in one process
// and keeps their journal in Karbor's own database.
//
// A lease makes sure that one process at a time runs operations, and each of its
// writes carries the lease's token, so that a late process can change nothing. A
// step that the journal does not show as over is run again by the next process.
// Starting a step is not journalled; a step that may have been running when a
// process died is counted as begun once more when the next one takes over. So
// Task.Attempt is 1 only if the step surely never ran, and may skip a number.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// Options are those of the engine.
type Options struct {
	workflow.Options
	// Journal keeps the operations; needed.
	Journal Journal
	// Owner names the process; needed. A new process with the same name takes
	// over at once, without waiting for the lease to run out: give a name only
	// to processes that can't run at the same time.
	Owner string
	// Now is the clock; needed.
	Now func() time.Time
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
	// LeaseFor is how long a dead process keeps others from taking over; 0
	// stands for 15 s. It is renewed at a third of it.
	LeaseFor time.Duration
	// LeaseWait is how long Run waits for the lease; 0 stands for any time.
	LeaseWait time.Duration
	// Linger is how long the end of an operation that succeeded may wait to be
	// journalled together with what comes next. Until then Describe says that it runs;
	// should the process die, its last step runs again, as any step may.
	Linger time.Duration
	// Loaded bounds the operations in memory; 0 stands for 512. Each share may have as many
	// as there is room left for: half of them if it is alone. One operation of each share is
	// let in beyond that, and so are some that are to be cancelled, up to twice as many in
	// all. The others wait in the journal, the oldest of each share first.
	Loaded int
}

// defaultPlaces is the number of places in a pool that no option names.
const defaultPlaces = 8

// Engine implements workflow.Engine.
type Engine struct {
	options Options
	journal Journal
	log     *slog.Logger
	now     func() time.Time

	// mu guards run and all that is in it.
	mu  sync.Mutex
	run *run
	// stranger is the name under which the lease is taken after it was lost to another
	// process, which may have the owner's; "" before.
	stranger string
}

// New makes an engine. It runs nothing before Run.
func New(options Options) (*Engine, error) {
	if options.Journal == nil || options.Owner == "" || options.Now == nil {
		return nil, errors.New("the local engine needs a journal, an owner and a clock")
	}
	if options.LeaseFor < 0 || options.LeaseWait < 0 || options.Linger < 0 || options.Loaded < 0 || options.Default < 0 {
		return nil, errors.New("an option of the local engine is negative")
	}
	for name, places := range options.Limits {
		if places < 1 {
			return nil, fmt.Errorf("the limit %q of the local engine is not positive", name)
		}
	}
	options.LeaseFor = cmp.Or(options.LeaseFor, 15*time.Second)
	options.Loaded = cmp.Or(options.Loaded, 512)
	options.Default = cmp.Or(options.Default, defaultPlaces)
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{options: options, journal: options.Journal, log: logger, now: options.Now}, nil
}

// Start implements workflow.Engine. It works whether or not Run does.
func (e *Engine) Start(ctx context.Context, id string, g workflow.Graph) error {
	steps, err := workflow.Read(ctx, id, g, e.options.Actions)
	if err != nil {
		return err
	}
	now := e.now()
	record := OperationRecord{ID: id, Share: workflow.Share(steps), State: workflow.Pending, CreatedAt: now}
	if r := e.reserve(id, record.Share); r != nil {
		// Its steps begin before anything else is journalled.
		record.State, record.StartedAt = workflow.Running, now
		created, err := e.journal.Create(ctx, r.token, record, steps)
		r.take(id, created && err == nil, &Recorded{OperationRecord: record, Steps: steps})
		if !errors.Is(err, ErrFenced) {
			return err
		}
		record.State, record.StartedAt = workflow.Pending, time.Time{}
	}
	created, err := e.journal.Create(ctx, Unfenced, record, steps)
	if err == nil && created {
		e.queue(record)
	}
	return err
}

// reserve keeps a place in memory for a new operation, and gives the run that
// shall have it, or nil if it has to wait.
func (e *Engine) reserve(id, share string) *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.run
	if r == nil || r.ctx.Err() != nil || !r.queue.reserve(id, share) {
		return nil
	}
	return r
}

// queue tells the run, if there is one, of an operation in the journal.
func (e *Engine) queue(record OperationRecord) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.run; r != nil {
		r.queue.add(record.ID, record.Share)
		r.signal()
	}
}

// Cancel implements workflow.Engine. It works whether or not Run does.
func (e *Engine) Cancel(ctx context.Context, id, reason string) error {
	reason = cmp.Or(reason, "cancelled")
	if e.over(id) {
		return karbor.Errorf(karbor.Conflict, "the operation %s is over", id)
	}
	if err := e.journal.RequestCancel(ctx, id, reason); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.run; r != nil {
		if share, known := r.queue.known[id]; known {
			r.cancels[id] = reason
			r.queue.hurry(id, share)
		} else {
			r.look = true // it is found in the journal
		}
		r.signal()
	}
	return nil
}

// over reports whether an operation is shown as over: it may be so before the journal
// says it.
func (e *Engine) over(id string) bool {
	d, loaded := e.describeLoaded(id)
	return loaded && d.State.Ended()
}

// Describe implements workflow.Engine. It works whether or not Run does.
func (e *Engine) Describe(ctx context.Context, id string) (workflow.Description, error) {
	if d, loaded := e.describeLoaded(id); loaded {
		return d, nil
	}
	found, err := e.journal.Load(ctx, id)
	if err != nil {
		return workflow.Description{}, err
	}
	d := restore(&found).describe()
	if d.State == workflow.Pending {
		d.Before, err = e.journal.Before(ctx, found.OperationRecord)
	}
	return d, err
}

func (e *Engine) describeLoaded(id string) (workflow.Description, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run == nil || e.run.loaded[id] == nil {
		return workflow.Description{}, false
	}
	o := e.run.loaded[id]
	d := o.describe()
	for _, p := range e.run.pools {
		for position, n := range p.before(o) {
			d.Steps[position].Queued, d.Steps[position].Before = true, n
		}
	}
	return d, true
}

// Forget implements workflow.Engine. It works whether or not Run does.
func (e *Engine) Forget(ctx context.Context, id string) error {
	if err := e.journal.Forget(ctx, id); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// The run lets go of an operation a moment after the journal has its end.
	if r := e.run; r != nil && r.loaded[id] != nil && r.loaded[id].record.State.Ended() {
		delete(r.loaded, id)
		r.queue.drop(id)
	}
	return nil
}
