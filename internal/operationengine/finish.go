package operationengine

import (
	"context"
	"errors"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// finishBatch is how many runs are ended in one transaction.
const finishBatch = 200

// runFinisher ends runs until ctx ends, and waits for what it does after them.
func (e *Engine) runFinisher(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	places := make(chan struct{}, e.o.Workers)
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.finish:
		}
		err := e.finishAll(ctx, func(r store.ClaimedRun) {
			select {
			case <-ctx.Done():
				return
			case places <- struct{}{}:
			}
			working.Go(func() {
				defer func() { <-places }()
				if err := e.after(ctx, r); err != nil {
					e.o.Logger.ErrorContext(ctx, "the end of a scheduled run can't be noted; it is tried again when its claim has ended",
						"run", r.ID, "error", err)
				}
			})
		})
		if err != nil && ctx.Err() == nil && !failing {
			e.o.Logger.ErrorContext(ctx, "ending scheduled runs failed; it is tried again", "error", err)
		}
		failing = err != nil
	}
}

// finishAll ends the runs whose operations are over, and calls do with those after which
// there is something to do.
func (e *Engine) finishAll(ctx context.Context, do func(store.ClaimedRun)) error {
	for {
		now := e.now()
		claimed, looked, err := e.o.Store.FinishRuns(ctx, store.Lease{Owner: e.o.Node, Now: now, Until: now.Add(e.o.Lease)}, finishBatch, e.hasMore)
		if err != nil {
			return err
		}
		for _, r := range claimed {
			do(r)
		}
		if looked < finishBatch || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// hasMore reports whether there is something to do after an operation of a type that has
// ended so.
func (e *Engine) hasMore(t karbor.ScheduledOperationType, s karbor.RunState) bool {
	r := e.o.Runners[t]
	return r.Next != nil || r.After != nil && s == karbor.RunSuccess
}

// after does what is to be done after an operation, and ends its run if that was all.
func (e *Engine) after(ctx context.Context, r store.ClaimedRun) error {
	if e.now().Add(e.o.StartTimeout).After(r.Claim.Until) {
		return nil // somebody claims it again
	}
	call, cancel := context.WithTimeout(ctx, e.o.StartTimeout)
	defer cancel()
	end, err := e.more(call, r)
	now := e.now()
	switch {
	case ctx.Err() != nil, errors.Is(err, store.ErrRunLost):
		return nil // it goes on when the claim has ended, or elsewhere
	case err != nil && waits(err):
		return e.o.Store.PostponeRun(ctx, r.Claim, now.Add(pauseAfter(r.Claim.Number)), karbor.Sentence(err))
	case err != nil:
		if err := e.noteBroken(ctx, r, err, now); err != nil {
			return err
		}
		return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, karbor.RunError, e.cut(r)+karbor.Sentence(err), now)
	case end == nil:
		return nil // its next operation goes on
	}
	return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, end.State, end.Reason, now)
}

// cut says where a run was cut short.
func (e *Engine) cut(r store.ClaimedRun) string {
	if e.o.Runners[r.Operation.OperationType].Next != nil {
		return "not all of it was done: "
	}
	return "the checkpoint is available, but what comes after it failed: "
}

// more does what is to be done after an operation, and gives how the run ends, or nil if
// it goes on.
func (e *Engine) more(ctx context.Context, r store.ClaimedRun) (*RunEnd, error) {
	c, err := e.borrowAnew(ctx, r)
	if err != nil {
		return nil, err
	}
	runner := e.o.Runners[r.Operation.OperationType]
	if runner.Next != nil {
		return runner.Next(ctx, c, r)
	}
	note, err := runner.After(ctx, c, r)
	return &RunEnd{State: karbor.RunSuccess, Reason: note}, err
}

// borrowAnew gives the user of a run that is over. The operation may have taken long, and
// a token may outlive its user: Keystone is asked whether the delegation still works.
func (e *Engine) borrowAnew(ctx context.Context, r store.ClaimedRun) (protectionservice.Caller, error) {
	c, err := e.borrow(ctx, r)
	if err != nil {
		return c, err
	}
	c.Run = runOf(r)
	return c, lendable(e.o.Lender.ProbeLent(ctx, r.ScheduledOperationID, r.Delegation))
}
