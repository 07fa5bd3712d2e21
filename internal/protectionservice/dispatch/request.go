package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

const (
	// requestPoll is how often it is looked for what is asked of operations from
	// outside of this process, or was before it died; requestBatch how much of it is
	// taken at a time.
	requestPoll  = 2 * time.Second
	requestBatch = 100
	// failGrace is how long an operation that is to be failed may take to come to its
	// end by itself, as a cancelled one does, before it is ended as it lies.
	failGrace = 30 * time.Second
)

// honourRequests carries out what is asked of operations, until ctx ends.
func (d *Dispatcher) honourRequests(ctx context.Context) {
	ticker := time.NewTicker(requestPoll)
	defer ticker.Stop()
	for {
		if err := d.honourOpen(ctx); err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "what is asked of operations can't be carried out yet; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (d *Dispatcher) honourOpen(ctx context.Context) error {
	open, err := d.store.OpenRequests(ctx, requestBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if ctx.Err() != nil {
			break
		}
		if err := d.honour(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s of operation %s: %w", r.Kind, r.OperationID, err))
		}
	}
	return errors.Join(errs...)
}

// honour carries out one request, as far as that is possible now.
func (d *Dispatcher) honour(ctx context.Context, r store.Request) error {
	op, end, err := d.read(ctx, r.OperationID)
	if err != nil {
		return err
	}
	over := !op.EndedAt.IsZero()
	switch {
	case r.Kind == store.RetryRequest:
		return d.honourRetry(ctx, op, r)
	case over:
		return d.store.AnswerRequest(ctx, r, "the operation is over")
	case r.Kind == store.FailRequest:
		return d.honourFail(ctx, op, end, r)
	default:
		if err := d.Cancel(ctx, r); err != nil && karbor.KindOf(err) != karbor.Conflict {
			return err
		}
		return nil
	}
}

// honourFail ends an operation that does not come to its end: it is cancelled first, so
// that what runs of it stops. If it has no end then, it gets one as it lies, and all that
// it may have made goes to the ledger of what is left.
func (d *Dispatcher) honourFail(ctx context.Context, op store.Operation, end ending, r store.Request) error {
	err := d.engine.Cancel(ctx, op.ID, r.Reason)
	lost := err != nil && karbor.KindOf(err) == karbor.NotFound
	if err != nil && !lost && karbor.KindOf(err) != karbor.Conflict {
		d.log.WarnContext(ctx, "an operation that is to be failed can't be cancelled", "operation", op.ID, "error", err)
	}
	if !lost && d.now().Sub(r.CreatedAt) < failGrace {
		return nil // it stays open
	}
	if now, err := d.store.OperationRequest(ctx, op.ID, r.Kind); err != nil || !now.AnsweredAt.IsZero() {
		return err // it was withdrawn
	}
	f := &workflow.Failure{Cancelled: r.Reason}
	if err := end(ctx, op, f); err != nil {
		return err
	}
	return errors.Join(d.store.Dispatched(ctx, op.ID), d.store.AnswerRequest(ctx, r, "the operation was ended as it lay"))
}

// honourRetry asks once more for what an operation has failed to do, and answers with
// what came of it. That is possible without the tenant only where nothing has to be done
// in the tenant's cloud: the leave to act there ended with the operation.
// Of several processes one does it.
func (d *Dispatcher) honourRetry(ctx context.Context, op store.Operation, r store.Request) error {
	if mine, err := d.store.TakeRequest(ctx, &r); err != nil || !mine {
		return err
	}
	answer, err := d.again(ctx, op)
	if err != nil && karbor.IsTransient(err) {
		return errors.Join(err, d.store.GiveBackRequest(ctx, r))
	}
	if err != nil {
		answer = "refused: " + karbor.Sentence(err)
	}
	d.log.InfoContext(ctx, "an operator had an operation tried again", "operation", op.ID, "reason", r.Reason, "answer", answer)
	return d.store.AnswerRequest(ctx, r, answer)
}
