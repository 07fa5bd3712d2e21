package protectionservice

import (
	"context"
	"errors"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// describeTime is how long the engine may take to say how far an operation is.
const describeTime = 5 * time.Second

// describe asks the engine how far an operation is that is not over. One that the engine
// has not got yet is Pending. Where the engine can't answer, the state is "", and what
// the database has is all that can be told: no question of a tenant's fails for it.
func (s *Service) describe(ctx context.Context, op store.Operation) (workflow.Description, error) {
	asked, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	d, err := s.engine.Describe(asked, op.ID)
	switch {
	case err == nil:
		return d, nil
	case karbor.KindOf(err) == karbor.NotFound:
		return workflow.Description{State: workflow.Pending}, nil // in the outbox
	case (karbor.IsTransient(err) || errors.Is(err, workflow.ErrDamaged)) && ctx.Err() == nil:
		s.log.DebugContext(ctx, "the engine can't say how far an operation is", "operation", op.ID, "error", err)
		return workflow.Description{}, nil
	}
	return workflow.Description{}, err
}

// waits says why an operation has not begun that waits for a place among those at work.
func (s *Service) waits(ctx context.Context, op store.Operation) (string, error) {
	return s.dispatcher.Waits(ctx, op)
}

// forget drops what is kept in memory of an operation that is over: another may get its place.
func (s *Service) forget(operation string) {
	s.attempts.Forget(operation)
	s.banksPatience.forget(operation)
	s.dispatcher.Ended()
}
