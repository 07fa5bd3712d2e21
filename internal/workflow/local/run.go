package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// releaseTimeout bounds giving the lease back.
const releaseTimeout = 5 * time.Second

// run is one call of Engine.Run. Its loop is the only one that changes
// operations; the engine's mutex guards what others see too.
type run struct {
	e     *Engine
	token int64
	// ctx is that of the actions; stop ends it.
	ctx  context.Context
	stop context.CancelCauseFunc
	// writing is that of the journal's writes, which go on while actions stop;
	// lose ends it.
	writing context.Context
	lose    context.CancelCauseFunc
	wake    chan struct{}
	actions sync.WaitGroup

	// loaded are the operations in memory; the queue knows which come next.
	loaded map[string]*operation
	queue  *queue
	// look says that the journal may have something that is not to wait for the next poll.
	look bool
	// What came since the last turn.
	taken    []*Recorded
	cancels  map[string]string
	finished []*attempt
	running  map[*attempt]struct{}
	// refused are operations that are damaged in the journal.
	refused map[string]bool

	// The loop's own.
	pools   map[string]*pool
	retries retries
	fresh   []*operation
	// lingering are operations whose end is still to be journalled, at lingersUntil at
	// the latest.
	lingering    []*operation
	lingersUntil time.Time
	nextPoll     time.Time
	nextProgress time.Time
}

// Run takes the lease, goes on with the operations that are not over, and runs
// them and new ones until ctx ends. Then it lets the running actions stop, and
// returns nil; steps that did not end are run again by the next Run, which does
// not count as a failed attempt. An error says that the lease could not be had or
// was lost. One Run at a time runs on an engine.
func (e *Engine) Run(ctx context.Context) error {
	token, until, err := e.acquire(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	r := e.newRun(ctx, token)
	defer r.stop(nil)
	defer r.lose(nil)
	if err := e.enter(r); err != nil {
		return err
	}
	var keeper sync.WaitGroup
	keeper.Go(func() {
		if err := e.keep(r.writing, token, until); err != nil {
			r.lose(err)
			r.stop(err)
		}
	})
	err = r.loop() //nolint:contextcheck // the run's contexts are made of ctx
	e.leave()
	r.stop(err)
	r.actions.Wait()
	r.lose(err)
	keeper.Wait()
	if errors.Is(err, ErrFenced) {
		e.lost(ctx)
	}
	if err != nil {
		return fmt.Errorf("running operations: %w", err)
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return e.journal.Release(release, token)
}

func (e *Engine) newRun(ctx context.Context, token int64) *run {
	r := &run{
		e: e, token: token, wake: make(chan struct{}, 1),
		loaded: map[string]*operation{}, queue: newQueue(e.options.Loaded), cancels: map[string]string{},
		running: map[*attempt]struct{}{}, refused: map[string]bool{}, pools: map[string]*pool{},
	}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	r.writing, r.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	return r
}

func (e *Engine) enter(r *run) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run != nil {
		return errors.New("the engine runs already")
	}
	e.run = r
	return nil
}

func (e *Engine) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run = nil
}

// signal wakes the loop.
func (r *run) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take gives the run a new operation for which it has reserved a place. kept says
// whether it is in the journal.
func (r *run) take(id string, kept bool, found *Recorded) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if !kept {
		r.queue.drop(id)
		return
	}
	r.taken = append(r.taken, found)
	r.signal()
}

// loop runs operations until the context ends and the actions have stopped, or
// until a write is refused.
func (r *run) loop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		busy, err := r.turn()
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		stopping := r.ctx.Err() != nil
		if stopping && r.quiet() {
			return context.Cause(r.writing)
		}
		timer.Reset(r.untilNext())
		done := r.ctx.Done()
		if stopping {
			done = nil // only the actions' ends are left to wait for
		}
		select {
		case <-r.wake:
		case <-timer.C:
		case <-done:
		case <-r.writing.Done():
			return context.Cause(r.writing)
		}
	}
}

func (r *run) quiet() bool {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	return len(r.running) == 0 && len(r.finished) == 0 && len(r.lingering) == 0
}

// turn handles all that came since the last one: it works out what follows,
// journals it, and then starts what may start. It reports whether there was
// anything.
func (r *run) turn() (busy bool, err error) {
	touched, batch := r.gather()
	if !batch.empty() {
		if err := r.commit(batch); err != nil {
			return false, err
		}
	}
	r.admit(touched)
	if r.ctx.Err() != nil {
		return len(touched) > 0, nil
	}
	r.poll()
	return r.load() || len(touched) > 0, nil
}

// commit journals a batch. As long as it can't, nothing goes on.
func (r *run) commit(batch Batch) error {
	const last = 5 // tries while the engine stops
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		err := r.e.journal.Record(r.writing, r.token, batch)
		switch {
		case err == nil:
			return nil
		case r.writing.Err() != nil:
			return context.Cause(r.writing)
		case errors.Is(err, ErrFenced), r.ctx.Err() != nil && try >= last:
			return err
		}
		r.e.log.LogAttrs(r.ctx, slog.LevelError, "the journal can't be written; trying again", slog.Any("error", err))
		if !sleep(r.writing, wait) {
			return context.Cause(r.writing)
		}
		wait = min(2*wait, 5*time.Second)
	}
}
