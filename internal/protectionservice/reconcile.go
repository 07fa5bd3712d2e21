package protectionservice

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

// vanished is the reason of an operation whose last steps went wrong.
const vanished = "the operation ended without a result; the operator's log has the details"

// reconcile makes engine and store agree: an operation that the engine has lost is
// handed over again, one that is over for the engine alone is ended as failed. So
// none stays without an end, whatever happened.
func (s *Service) reconcile(ctx context.Context) error {
	ids, err := s.store.RunningOperations(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		d, err := s.engine.Describe(ctx, id)
		switch {
		case karbor.KindOf(err) == karbor.NotFound && err != nil:
			errs = append(errs, s.restart(ctx, id))
		case err != nil:
			errs = append(errs, fmt.Errorf("looking for operation %s in the engine: %w", id, err))
		case d.State.Ended():
			errs = append(errs, s.endVanished(ctx, id))
		}
	}
	return errors.Join(errs...)
}

// restart hands an operation over anew that the engine has lost, or has not got yet.
func (s *Service) restart(ctx context.Context, id string) error {
	if err := s.store.Restart(ctx, id); err != nil {
		return err
	}
	return s.start(ctx, id)
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
func (s *Service) forget(ctx context.Context) error {
	for {
		ids, err := s.store.Rememberable(ctx, s.now().Add(-remembered), forgetBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.engine.Forget(ctx, id); err != nil {
				return fmt.Errorf("forgetting operation %s: %w", id, err)
			}
		}
		if err := s.store.Forgotten(ctx, ids); err != nil {
			return err
		}
	}
}

// endVanished ends an operation that is over for the engine, unless it has ended
// meanwhile.
func (s *Service) endVanished(ctx context.Context, id string) error {
	op, err := s.store.Operation(ctx, id)
	if err != nil || !op.EndedAt.IsZero() {
		return err
	}
	s.log.ErrorContext(ctx, "an operation is over for the engine, and has no result", "operation", id)
	return s.abandon(ctx, op, karbor.Errorf(karbor.Unavailable, vanished))
}
