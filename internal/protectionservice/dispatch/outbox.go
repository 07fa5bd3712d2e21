package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// outboxPoll is how often the outbox is looked at when nobody calls: for what a
// process accepted that died before it could call, or that failed to start.
const outboxPoll = 2 * time.Second

// Run hands accepted operations to the engine, and carries out what is asked of them, until
// ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	var requests sync.WaitGroup
	requests.Go(func() { d.honourRequests(ctx) })
	defer requests.Wait()
	ticker := time.NewTicker(outboxPoll)
	defer ticker.Stop()
	var reconciled time.Time
	for {
		err := d.dispatch(ctx)
		if err == nil && d.now().Sub(reconciled) >= reconcilePause {
			err, reconciled = errors.Join(d.reconcile(ctx), d.endOverdue(ctx), d.forget(ctx)), d.now()
		}
		if err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "handing operations to the engine failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-ticker.C:
			if err := d.clearOutbox(ctx, dispatchBatch+len(d.handed)); err != nil && ctx.Err() == nil {
				d.log.ErrorContext(ctx, "clearing the outbox failed; it is tried again", "error", err)
			}
		}
	}
}

// dispatchBatch is how much of the outbox is read at a time.
const dispatchBatch = 100

// dispatch starts on the engine what the outbox holds. It leaves it in the outbox:
// most operations have ended, and so left it, before clearOutbox comes.
func (d *Dispatcher) dispatch(ctx context.Context) error {
	var errs []error
	stuck := map[string]bool{}
	for {
		limit := dispatchBatch + len(stuck)
		ids, err := d.store.Undispatched(ctx, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if d.handed[id] || stuck[id] {
				continue
			}
			// One that can't be started now does not keep the others waiting.
			if err := d.start(ctx, id); err != nil {
				errs = append(errs, err)
				stuck[id] = true
				continue
			}
			d.handed[id] = true
		}
		if len(ids) < limit || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		if err := d.clearOutbox(ctx, limit); err != nil {
			return err
		}
	}
}

// clearOutbox takes out of the outbox what the engine has, of its first entries. What
// it forgets besides has ended; should it not have, it is handed over once more, which
// does no harm.
func (d *Dispatcher) clearOutbox(ctx context.Context, limit int) error {
	if len(d.handed) == 0 {
		return nil
	}
	ids, err := d.store.Undispatched(ctx, limit)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if d.handed[id] {
			if err := d.store.Dispatched(ctx, id); err != nil {
				return err
			}
		}
	}
	clear(d.handed)
	return nil
}

func (d *Dispatcher) start(ctx context.Context, id string) error {
	op, err := d.operation(ctx, id)
	if err != nil {
		return err
	}
	steps, err := d.steps(op)
	if err != nil {
		// The provider's file has gone: there is nobody to do the work.
		return d.abandon(ctx, op, err)
	}
	err = d.engine.Start(ctx, id, steps)
	if err != nil && karbor.KindOf(err) == karbor.Invalid {
		d.log.ErrorContext(ctx, "the engine refuses an operation", "operation", id, "error", err)
		return d.abandon(ctx, op, karbor.Errorf(karbor.Internal, "the service can't carry this operation out"))
	}
	if err != nil {
		return err
	}
	return d.cancelStarted(ctx, id)
}

// abandon ends an operation that nobody can carry out.
func (d *Dispatcher) abandon(ctx context.Context, op store.Operation, why error) error {
	f := &workflow.Failure{Steps: []workflow.StepError{{Sentence: karbor.Sentence(why)}}}
	if err := d.end(ctx, op, f); err != nil {
		return err
	}
	return d.store.Dispatched(ctx, op.ID)
}
