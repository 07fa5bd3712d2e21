package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// reconcilePause is how often it is looked for operations that only this service
// takes for running.
const reconcilePause = time.Minute

// Vanished is the reason of an operation whose last steps went wrong.
const Vanished = "the operation ended without a result; the operator's log has the details"

// reconcile makes engine and store agree: an operation that the engine has lost is
// handed over again, one that is over for the engine alone is ended as failed. So
// none stays without an end, whatever happened.
func (d *Dispatcher) reconcile(ctx context.Context) error {
	ids, err := d.store.RunningOperations(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		told, err := d.engine.Describe(ctx, id)
		switch {
		case karbor.KindOf(err) == karbor.NotFound && err != nil:
			errs = append(errs, d.restart(ctx, id))
		case err != nil:
			errs = append(errs, fmt.Errorf("looking for operation %s in the engine: %w", id, err))
		case told.State.Ended():
			errs = append(errs, d.endVanished(ctx, id))
		}
	}
	return errors.Join(errs...)
}

// restart hands an operation over anew that the engine has lost, or has not got yet.
func (d *Dispatcher) restart(ctx context.Context, id string) error {
	if err := d.store.Restart(ctx, id); err != nil {
		return err
	}
	return d.start(ctx, id)
}

const (
	// remembered is how long the engine keeps what it knows of an operation that is
	// over, for who looks into a failure.
	remembered = time.Hour
	// forgetBatch is how many operations are forgotten in one transaction.
	forgetBatch = 200
)

// forget lets the engine forget operations that ended some time ago, so that what it
// keeps does not grow for ever.
func (d *Dispatcher) forget(ctx context.Context) error {
	for {
		ids, err := d.store.Rememberable(ctx, d.now().Add(-remembered), forgetBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := d.engine.Forget(ctx, id); err != nil {
				return fmt.Errorf("forgetting operation %s: %w", id, err)
			}
		}
		if err := d.store.Forgotten(ctx, ids); err != nil {
			return err
		}
	}
}

// endVanished ends an operation that is over for the engine, unless it has ended
// meanwhile.
func (d *Dispatcher) endVanished(ctx context.Context, id string) error {
	op, err := d.store.Operation(ctx, id)
	if err != nil || !op.EndedAt.IsZero() {
		return err
	}
	d.log.ErrorContext(ctx, "an operation is over for the engine, and has no result", "operation", id)
	return d.abandon(ctx, op, karbor.Errorf(karbor.Unavailable, Vanished))
}
