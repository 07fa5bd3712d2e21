package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// lookPause is how often it is looked after the operations that run, and those that are over.
const lookPause = time.Minute

// Vanished is the reason of an operation whose last steps went wrong.
const Vanished = "the operation ended without a result; the operator's log has the details"

// lookAfter does one kind of work again and again, until ctx ends. It is at once done for the
// first time: what the process that ran before has left behind is found then.
func (d *Dispatcher) lookAfter(ctx context.Context, what string, do func(context.Context) error) {
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "looking after the operations failed; it is tried again", "what", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reconcile makes engine and store agree: an operation that the engine has lost is
// handed over again, one that is over for the engine alone is ended as failed. So
// none stays without an end, whatever happened.
func (d *Dispatcher) reconcile(ctx context.Context) error {
	ids, err := d.store.OperationsAtWork(ctx)
	if err != nil {
		return err
	}
	var errs []error
	silent := map[string]bool{}
	for _, id := range ids {
		told, err := d.engine.Describe(ctx, id)
		switch {
		case karbor.KindOf(err) == karbor.NotFound && err != nil:
			errs = append(errs, d.restartLost(ctx, id, silent))
		case err != nil:
			errs = append(errs, fmt.Errorf("looking for operation %s in the engine: %w", id, err))
		case told.State.Ended():
			if err := d.endVanished(ctx, id); err != nil {
				errs = append(errs, fmt.Errorf("ending operation %s, which is over for the engine: %w", id, err))
			}
		}
	}
	return errors.Join(errs...)
}

// restartLost hands an operation over anew that the engine had. What is in the outbox is handed over
// from there.
func (d *Dispatcher) restartLost(ctx context.Context, id string, silent map[string]bool) error {
	op, err := d.store.OperationHead(ctx, id)
	if err != nil || !op.Dispatched {
		return err
	}
	return d.restart(ctx, id, silent)
}

// restart hands an operation over anew that the engine has lost, or has not got yet.
func (d *Dispatcher) restart(ctx context.Context, id string, silent map[string]bool) error {
	if err := d.store.Restart(ctx, id); err != nil {
		return err
	}
	return d.start(ctx, id, silent)
}

const (
	// remembered is how long the engine keeps what it knows of an operation that is
	// over, for who looks into a failure.
	remembered = time.Hour
	// forgetBatch is how many operations are forgotten in one transaction.
	forgetBatch = 200
)

// forget lets the engine forget operations that ended some time ago, so that what it
// keeps does not grow for ever. What it can't forget now, as a hook of it still hangs or as
// it takes its time, it is asked to forget again next time.
func (d *Dispatcher) forget(ctx context.Context) error {
	var errs []error
	kept, late := map[string]bool{}, 0
	for {
		limit := forgetBatch + len(kept)
		ids, err := d.store.Rememberable(ctx, d.now().Add(-remembered), limit)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		var gone []string
		for _, id := range ids {
			if kept[id] {
				continue
			}
			err := d.engine.Forget(ctx, id)
			switch {
			case err == nil:
				gone = append(gone, id)
				continue
			case karbor.KindOf(err) == karbor.Conflict || karbor.IsTransient(err):
				if karbor.IsTransient(err) {
					late++
				}
				d.log.DebugContext(ctx, "the engine can't forget an operation yet", "operation", id, "error", err)
			default:
				errs = append(errs, fmt.Errorf("forgetting operation %s: %w", id, err))
			}
			kept[id] = true
		}
		if err := d.store.Forgotten(ctx, gone); err != nil {
			return errors.Join(append(errs, err)...)
		}
		// An engine that is away is not asked about all of them.
		if len(ids) < limit || late >= forgetBatch || ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
}

// endVanished ends an operation that is over for the engine, unless it has ended
// meanwhile.
func (d *Dispatcher) endVanished(ctx context.Context, id string) error {
	op, end, err := d.read(ctx, id)
	if err != nil || !op.EndedAt.IsZero() {
		return err
	}
	d.log.ErrorContext(ctx, "an operation is over for the engine, and has no result", "operation", id)
	return d.abandon(ctx, op, end, karbor.Errorf(karbor.Unavailable, Vanished))
}
