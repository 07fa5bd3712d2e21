package operationengine

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// finishBatch is how many runs are ended in one transaction.
const finishBatch = 200

// Finish ends the runs whose operations are over, and does what is to be done after
// them.
func (e *Engine) Finish(ctx context.Context) error {
	for {
		now := e.now()
		claimed, looked, err := e.o.Store.FinishRuns(ctx, store.Lease{Owner: e.o.Node, Now: now, Until: now.Add(e.o.Lease)}, finishBatch, e.hasMore)
		if err != nil {
			return err
		}
		for _, r := range claimed {
			if err := e.after(ctx, r); err != nil {
				return err
			}
		}
		if looked < finishBatch || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// hasMore reports whether there is something to do after operations of a type.
func (e *Engine) hasMore(t karbor.ScheduledOperationType) bool { return e.o.Runners[t].After != nil }

// after does what is to be done after a successful operation, and ends its run.
func (e *Engine) after(ctx context.Context, r store.ClaimedRun) error {
	if e.now().Add(e.o.StartTimeout).After(r.Claim.Until) {
		return nil // somebody claims it again
	}
	call, cancel := context.WithTimeout(ctx, e.o.StartTimeout)
	defer cancel()
	c, err := e.borrow(call, r)
	note := ""
	if err == nil {
		note, err = e.o.Runners[r.Operation.OperationType].After(call, c, r)
	}
	now := e.now()
	switch {
	case ctx.Err() != nil:
		return nil // it goes on when the claim has ended
	case err != nil && waits(err):
		return e.o.Store.PostponeRun(ctx, r.Claim, now.Add(pauseAfter(r.Claim.Number)), karbor.Sentence(err))
	case err != nil:
		return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, karbor.RunError,
			"the checkpoint is available, but what comes after it failed: "+karbor.Sentence(err), now)
	}
	return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, karbor.RunSuccess, note, now)
}
