package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Stops is the answer to a request to cancel that is carried out.
const Stops = "the operation stops"

// Cancel hands a request to cancel to the engine. One that the engine has not got
// yet, as the operation is still in the outbox, or waits for its place, stays open: it waits no
// more, and start comes back to it.
func (d *Dispatcher) Cancel(ctx context.Context, r store.Request) error {
	err := d.engine.Cancel(ctx, r.OperationID, r.Reason)
	switch {
	case err == nil:
		return d.store.AnswerRequest(ctx, r, Stops)
	case karbor.KindOf(err) == karbor.NotFound:
		d.Wake()
		return nil
	case karbor.KindOf(err) == karbor.Conflict:
		// What is over, or ends by itself, can't be cancelled any more.
		return errors.Join(d.store.AnswerRequest(ctx, r, karbor.Sentence(err)), err)
	default:
		return fmt.Errorf("cancelling operation %s: %w", r.OperationID, err)
	}
}

// cancelStarted cancels an operation that the engine has just got, if that was asked for.
func (d *Dispatcher) cancelStarted(ctx context.Context, id string) error {
	r, err := d.store.OperationRequest(ctx, id, store.CancelRequest)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return nil
	case err != nil:
		return err
	}
	if err := d.Cancel(ctx, r); err != nil && karbor.KindOf(err) != karbor.Conflict {
		return err
	}
	return nil
}
