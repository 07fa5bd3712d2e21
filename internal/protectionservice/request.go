package protectionservice

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
func (s *Service) honourRequests(ctx context.Context) {
	ticker := time.NewTicker(requestPoll)
	defer ticker.Stop()
	for {
		if err := s.honourOpen(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "what is asked of operations can't be carried out yet; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Service) honourOpen(ctx context.Context) error {
	open, err := s.store.OpenRequests(ctx, requestBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if ctx.Err() != nil {
			break
		}
		if err := s.honour(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s of operation %s: %w", r.Kind, r.OperationID, err))
		}
	}
	return errors.Join(errs...)
}

// honour carries out one request, as far as that is possible now.
func (s *Service) honour(ctx context.Context, r store.Request) error {
	op, err := s.store.Operation(ctx, r.OperationID)
	if err != nil {
		return err
	}
	over := !op.EndedAt.IsZero()
	switch {
	case r.Kind == store.RetryRequest:
		return s.honourRetry(ctx, op, r)
	case over:
		return s.store.AnswerRequest(ctx, r, "the operation is over")
	case r.Kind == store.FailRequest:
		return s.honourFail(ctx, op, r)
	default:
		if err := s.honourCancel(ctx, r); err != nil && karbor.KindOf(err) != karbor.Conflict {
			return err
		}
		return nil
	}
}

// honourFail ends an operation that does not come to its end: it is cancelled first, so
// that what runs of it stops. If it has no end then, it gets one as it lies, and all that
// it may have made goes to the ledger of what is left.
func (s *Service) honourFail(ctx context.Context, op store.Operation, r store.Request) error {
	err := s.engine.Cancel(ctx, op.ID, r.Reason)
	lost := err != nil && karbor.KindOf(err) == karbor.NotFound
	if err != nil && !lost && karbor.KindOf(err) != karbor.Conflict {
		s.log.WarnContext(ctx, "an operation that is to be failed can't be cancelled", "operation", op.ID, "error", err)
	}
	if !lost && s.now().Sub(r.CreatedAt) < failGrace {
		return nil // it stays open
	}
	f := &workflow.Failure{Cancelled: r.Reason}
	if err := s.endFailed(ctx, op, f, ending{abandoned: true}); err != nil {
		return err
	}
	return errors.Join(s.store.Dispatched(ctx, op.ID), s.store.AnswerRequest(ctx, r, "the operation was ended as it lay"))
}

// honourRetry asks once more for what an operation has failed to do, and answers with
// what came of it. That is possible without the tenant only where nothing has to be done
// in the tenant's cloud: the leave to act there ended with the operation.
// Of several processes one does it.
func (s *Service) honourRetry(ctx context.Context, op store.Operation, r store.Request) error {
	if mine, err := s.store.TakeRequest(ctx, &r); err != nil || !mine {
		return err
	}
	answer, err := s.again(ctx, op)
	if err != nil && karbor.IsTransient(err) {
		return errors.Join(err, s.store.GiveBackRequest(ctx, r))
	}
	if err != nil {
		answer = "refused: " + karbor.Sentence(err)
	}
	s.log.InfoContext(ctx, "an operator had an operation tried again", "operation", op.ID, "reason", r.Reason, "answer", answer)
	return s.store.AnswerRequest(ctx, r, answer)
}

func (s *Service) again(ctx context.Context, op store.Operation) (string, error) {
	p, err := s.place(op)
	if err != nil {
		return "", err
	}
	if op.Type != karbor.Delete && op.Type != karbor.Verify {
		return "", karbor.Errorf(karbor.Conflict, "a %s can't be tried again without the tenant: ask for a new one", op.Type)
	}
	if needsCloud(op.Graph, hooksFor(p, op.Type)) {
		return "", karbor.Errorf(karbor.Conflict, "it needs the cloud of the tenant, who has to ask for it")
	}
	if op.Type == karbor.Verify {
		as := Caller{Identity: &karbor.Identity{ProjectID: op.ProjectID}}
		v, err := s.Verify(ctx, as, VerifyRequest{ProviderID: p.ID, CheckpointID: op.CheckpointID, Parameters: op.Parameters})
		if err != nil {
			return "", err
		}
		return "accepted as operation " + v.ID, nil
	}
	// The operator is of no project: no leave is asked of the tenant's cloud.
	as := Caller{Identity: &karbor.Identity{}, Project: op.ProjectID}
	if err := s.DeleteCheckpoint(ctx, as, p.ID, op.CheckpointID); err != nil {
		return "", err
	}
	made, err := s.store.FindOperation(ctx, op.ProjectID, op.CheckpointID)
	if err != nil {
		return "", err
	}
	return "accepted as operation " + made.ID, nil
}
