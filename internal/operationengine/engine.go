// Package operationengine is the operation engine: it starts scheduled operations when
// their triggers fire, as the users who made them, once for each time.
//
// All that must not be lost or doubled is in the store. A time that has come becomes a
// run there, once, whichever node sees it first, and the next time is computed in the
// same transaction. A node claims a run, and the transaction that accepts its operation
// begins it, if the claim still stands. So any number of nodes may run, and each may
// die at any instant; docs/adr/0031 has the reasons.
package operationengine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/store"
)

// Store is what the engine asks of the database; store.Store is one.
type Store interface {
	Time(ctx context.Context) (time.Time, error)
	Services(ctx context.Context, f store.ServiceFilter) ([]karbor.Service, error)
	Fire(ctx context.Context, now time.Time) (fired int, more bool, err error)
	NextDue(ctx context.Context, after time.Time) (time.Time, error)
	ClaimRuns(ctx context.Context, l store.Lease, limit int) ([]store.ClaimedRun, int, error)
	EndRun(ctx context.Context, c store.RunClaim, scheduledOperationID string, state karbor.RunState, reason string, at time.Time) error
	PostponeRun(ctx context.Context, c store.RunClaim, again time.Time, reason string) error
	FinishRuns(ctx context.Context, l store.Lease, limit int, after func(karbor.ScheduledOperationType, karbor.RunState) bool) ([]store.ClaimedRun, int, error)
	EndLostRuns(ctx context.Context) (int64, error)
	ReleaseRuns(ctx context.Context, owner string) error
	DueProbes(ctx context.Context, now, again time.Time, limit int) ([]store.LentDelegation, error)
	NoteDelegation(ctx context.Context, d store.LentDelegation, state karbor.DelegationState, reason string, at time.Time) error
	ProbeAgain(ctx context.Context, d store.LentDelegation, at time.Time) error
	ReturnedDelegations(ctx context.Context, now time.Time, limit int) ([]store.ReturnedDelegation, error)
	GaveBack(ctx context.Context, id string, again time.Time) error
	LeftLendings(ctx context.Context, now time.Time, limit int) ([]store.Lending, error)
	EndLending(ctx context.Context, id string, again time.Time) error
}

var _ Store = (*store.Store)(nil)

// Lender gives the rights that users have lent to scheduled operations;
// delegation.Registry does.
type Lender interface {
	Borrow(ctx context.Context, scheduledOperationID string, sealed []byte) (delegation.Borrowed, error)
	ProbeLent(ctx context.Context, scheduledOperationID string, sealed []byte) error
	ReturnLent(ctx context.Context, scheduledOperationID string, sealed []byte) error
	Reclaim(ctx context.Context, l store.Lending) error
}

var _ Lender = (*delegation.Registry)(nil)

// Options of New. Store, Lender, Runners, Node, Now and Logger are needed.
type Options struct {
	Store   Store
	Lender  Lender
	Runners Runners
	// Node is this node's name in the list of services: one that an administrator has
	// disabled takes no new work. No two nodes that run have the same.
	Node string
	// Workers is how many operations are started at a time; 32 if 0.
	Workers int
	// Poll is how often the database is looked at when nothing is due: for what other
	// nodes and API processes have changed; 2 s if 0.
	Poll time.Duration
	// Lease is how long a node that dies keeps what it was about to start from the
	// others; 2 min if 0. StartTimeout bounds one start, and is less; 45 s if 0.
	Lease, StartTimeout time.Duration
	// ProbeInterval is how often each delegation is tried; 6 h if 0.
	ProbeInterval time.Duration
	Now           func() time.Time
	Logger        *slog.Logger
}

// Engine is the operation engine of one node. Its methods may be called concurrently.
type Engine struct {
	o    Options
	wake chan struct{}
	// begin tells the starter that there may be runs to begin, finish the finisher that
	// there may be some that are over.
	begin, finish chan struct{}
	// offset is what the database's clock is ahead of this node's, in nanoseconds.
	offset   atomic.Int64
	disabled atomic.Bool
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Workers == 0 {
		o.Workers = 32
	}
	for d, otherwise := range map[*time.Duration]time.Duration{
		&o.Poll: 2 * time.Second, &o.Lease: 2 * time.Minute, &o.StartTimeout: 45 * time.Second, &o.ProbeInterval: 6 * time.Hour,
	} {
		if *d == 0 {
			*d = otherwise
		}
	}
	return &Engine{o: o, wake: make(chan struct{}, 1), begin: make(chan struct{}, 1), finish: make(chan struct{}, 1)}
}

// Wake has the engine look at the database at once, as something has changed.
func (e *Engine) Wake() { ring(e.wake) }

// ring calls a loop; one call is kept.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// now is the time by the database's clock, which all nodes share.
func (e *Engine) now() time.Time {
	return e.o.Now().Add(time.Duration(e.offset.Load())).UTC()
}

// Run runs scheduled operations until ctx ends. Starts that are being made then are
// finished or given back.
func (e *Engine) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	e.repeat(ctx, "beginning", e.recover)
	parts.Go(func() { e.runStarter(ctx) })
	parts.Go(func() { e.runFinisher(ctx) })
	parts.Go(func() { e.runTidier(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		case <-timer.C:
		}
		pause, err := e.look(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			e.o.Logger.ErrorContext(ctx, "looking for scheduled operations that are due failed; it is tried again", "error", err)
		}
		failing = err != nil
		timer.Reset(pause)
	}
}

// retryPause is the time between two tries of what must be done first.
const retryPause = 2 * time.Second

// repeat does what must be done before all else, until it succeeds or ctx ends.
func (e *Engine) repeat(ctx context.Context, what string, f func(context.Context) error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := f(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			e.o.Logger.ErrorContext(ctx, "the operation engine failed; it is tried again", "doing", what, "error", err)
		}
		timer.Reset(retryPause)
	}
}

// recover cleans up after an earlier process of this node.
func (e *Engine) recover(ctx context.Context) error {
	if err := e.adjust(ctx); err != nil {
		return err
	}
	if err := e.o.Store.ReleaseRuns(ctx, e.o.Node); err != nil {
		return err
	}
	n, err := e.o.Store.EndLostRuns(ctx)
	if n > 0 {
		e.o.Logger.WarnContext(ctx, "runs ended whose operations are not known any more", "runs", n)
	}
	return err
}

// look makes runs of the times that have come, calls those who begin and end runs, and
// gives for how long there is nothing to do. Nothing of theirs keeps a time waiting.
func (e *Engine) look(ctx context.Context) (time.Duration, error) {
	if err := e.adjust(ctx); err != nil {
		return e.o.Poll, err
	}
	defer ring(e.finish)
	if e.disabled.Load() {
		return e.o.Poll, nil
	}
	now := e.now()
	err := e.Fire(ctx, now)
	ring(e.begin)
	if err != nil {
		return e.o.Poll, err
	}
	next, err := e.o.Store.NextDue(ctx, now)
	if err != nil || next.IsZero() {
		return e.o.Poll, err
	}
	return max(min(next.Sub(e.now()), e.o.Poll), 0), nil
}

// worthTelling is a difference of clocks that an operator should know of.
const worthTelling = 2 * time.Second

// adjust learns the database's time, and whether an administrator has disabled this
// node.
func (e *Engine) adjust(ctx context.Context) error {
	before := e.o.Now()
	at, err := e.o.Store.Time(ctx)
	if err != nil {
		return err
	}
	after := e.o.Now()
	offset := at.Sub(before.Add(after.Sub(before) / 2))
	if last := time.Duration(e.offset.Swap(int64(offset))); (offset - last).Abs() > worthTelling {
		e.o.Logger.WarnContext(ctx, "this node's clock is not that of the database, whose time counts", "ahead", -offset)
	}
	found, err := e.o.Store.Services(ctx, store.ServiceFilter{Host: e.o.Node, Binary: karbor.OperationEngineBinary})
	if err != nil {
		return err
	}
	disabled := len(found) > 0 && found[0].Disabled
	if e.disabled.Swap(disabled) != disabled {
		e.o.Logger.InfoContext(ctx, "an administrator has changed whether this node takes new scheduled work", "disabled", disabled)
	}
	return nil
}

// Fire makes runs of all times that have come by now.
func (e *Engine) Fire(ctx context.Context, now time.Time) error {
	for {
		_, more, err := e.o.Store.Fire(ctx, now)
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
		ring(e.begin)
	}
}
