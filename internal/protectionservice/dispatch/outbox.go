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

// Run hands accepted operations to the engine, carries out what is asked of them, and looks
// after those that run, until ctx ends. What one of these has to wait for, or fails at, keeps
// none of the others from its work.
func (d *Dispatcher) Run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { d.honourRequests(ctx) })
	parts.Go(func() { d.lookAfter(ctx, "compare with the engine", d.reconcile) })
	parts.Go(func() { d.lookAfter(ctx, "deadlines", d.endOverdue) })
	parts.Go(func() { d.lookAfter(ctx, "forget what is over", d.forget) })
	ticker := time.NewTicker(outboxPoll)
	defer ticker.Stop()
	for {
		if err := d.dispatch(ctx); err != nil && ctx.Err() == nil {
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

// dispatch puts into the outbox what may begin, and starts on the engine what it holds. It leaves it in the outbox:
// most operations have ended, and so left it, before clearOutbox comes.
func (d *Dispatcher) dispatch(ctx context.Context) error {
	var errs []error
	if err := d.givePlaces(ctx); err != nil {
		errs = append(errs, err) // those that have a place are started all the same
	}
	stuck, silent := map[string]bool{}, map[string]bool{}
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
			if err := d.start(ctx, id, silent); err != nil {
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

// start hands one operation to the engine. silent has the providers whose bank gave no answer of late.
func (d *Dispatcher) start(ctx context.Context, id string, silent map[string]bool) error {
	op, err := d.operation(ctx, id)
	if err != nil {
		return err
	}
	if over, err := d.over(ctx, op, silent); over || err != nil {
		return err
	}
	steps, err := d.steps(op)
	if err != nil {
		// The provider's file has gone: there is nobody to do the work.
		return d.abandon(ctx, op, d.end, err)
	}
	err = d.engine.Start(ctx, id, steps)
	if err != nil && karbor.KindOf(err) == karbor.Invalid {
		d.log.ErrorContext(ctx, "the engine refuses an operation", "operation", id, "error", err)
		return d.abandon(ctx, op, d.end, karbor.Errorf(karbor.Internal, "the service can't carry this operation out"))
	}
	if err != nil {
		return err
	}
	return d.cancelStarted(ctx, id)
}

// over ends an operation that the engine would begin anew though it has come to its end already, and
// reports whether it has. Where that can't be told now, it is handed over: its steps find out, too. A bank
// that gave no answer is not asked again for all others: they would wait for it, and all behind them.
func (d *Dispatcher) over(ctx context.Context, op store.Operation, silent map[string]bool) (bool, error) {
	if d.recorded == nil || silent[op.ProviderID] {
		return false, nil
	}
	begun, err := d.store.Begun(ctx, op.ID)
	if err != nil || !begun {
		return false, err
	}
	over, err := d.recorded(ctx, op)
	if err != nil && !over && ctx.Err() == nil {
		silent[op.ProviderID] = true
		d.log.WarnContext(ctx, "it can't be told whether an operation that may begin anew was at its end", "operation", op.ID, "error", err)
		return false, nil
	}
	return over, err
}

// ending ends an operation, as it lies, as failed.
type ending func(ctx context.Context, op store.Operation, f *workflow.Failure) error

// read gives an operation, and what ends it. Of one of which not all can be read, as its graph
// is damaged, it gives what can: that is enough to end it.
func (d *Dispatcher) read(ctx context.Context, id string) (store.Operation, ending, error) {
	op, err := d.store.Operation(ctx, id)
	if err == nil || karbor.KindOf(err) == karbor.NotFound || karbor.IsTransient(err) || errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return op, d.end, err
	}
	head, none := d.store.OperationHead(ctx, id)
	if none != nil {
		return op, d.end, err
	}
	return head, d.endUnread, nil
}

// abandon ends an operation that nobody can carry out.
func (d *Dispatcher) abandon(ctx context.Context, op store.Operation, end ending, why error) error {
	f := &workflow.Failure{Steps: []workflow.StepError{{Sentence: karbor.Sentence(why)}}}
	if err := end(ctx, op, f); err != nil {
		return err
	}
	return d.store.Dispatched(ctx, op.ID)
}
