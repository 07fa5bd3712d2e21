package operationengine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// claimFactor is how many starts per worker are claimed at a time.
const claimFactor = 4

// runStarter begins runs until ctx ends, and waits for those that it has begun.
func (e *Engine) runStarter(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	places := make(chan struct{}, e.o.Workers)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.begin:
		}
		for more := true; more && ctx.Err() == nil; {
			claimed, looked, err := e.claim(ctx, claimFactor*e.o.Workers)
			if err != nil {
				if ctx.Err() == nil {
					e.o.Logger.ErrorContext(ctx, "claiming scheduled runs failed; it is tried again", "error", err)
				}
				break
			}
			for _, r := range claimed {
				select {
				case <-ctx.Done():
					return
				case places <- struct{}{}:
				}
				working.Go(func() {
					defer func() { <-places }()
					e.start(ctx, r)
				})
			}
			more = looked == claimFactor*e.o.Workers
		}
	}
}

func (e *Engine) claim(ctx context.Context, limit int) ([]store.ClaimedRun, int, error) {
	if e.disabled.Load() {
		return nil, 0, nil
	}
	now := e.now()
	return e.o.Store.ClaimRuns(ctx, store.Lease{Owner: e.o.Node, Now: now, Until: now.Add(e.o.Lease)}, limit)
}

// settleTimeout bounds the noting of what became of a start, when the process stops.
const settleTimeout = 5 * time.Second

// start begins one run, or notes why it can't.
func (e *Engine) start(ctx context.Context, r store.ClaimedRun) {
	if e.now().Add(e.o.StartTimeout).After(r.Claim.Until) {
		return // it waited for too long here: somebody claims it again
	}
	call, cancel := context.WithTimeout(ctx, e.o.StartTimeout)
	err := e.attempt(call, r)
	cancel()
	if err == nil {
		e.o.Logger.InfoContext(ctx, "scheduled operation started", "scheduled_operation", r.ScheduledOperationID, "run", r.ID,
			"project", r.ProjectID, "expected", r.ExpectedAt, "late", e.now().Sub(r.ExpectedAt))
		return
	}
	if errors.Is(err, store.ErrRunLost) {
		return
	}
	settle, done := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer done()
	if err := e.settle(settle, r, err, ctx.Err() != nil); err != nil {
		e.o.Logger.ErrorContext(ctx, "what became of a scheduled run can't be noted; it is tried again when its claim has ended",
			"run", r.ID, "error", err)
	}
}

// attempt starts the operation of a run as its user.
func (e *Engine) attempt(ctx context.Context, r store.ClaimedRun) error {
	runner, ok := e.o.Runners[r.Operation.OperationType]
	if !ok {
		return karbor.Errorf(karbor.Invalid, "operations of the type %s are not run here", r.Operation.OperationType)
	}
	c, err := e.borrow(ctx, r)
	if err != nil {
		return err
	}
	c.Run = runOf(r)
	return begun(runner.Start(ctx, c, r))
}

// begun adds to why a run could not begin what it means, and what helps.
func begun(err error) error {
	switch {
	case err == nil:
		return nil
	case karbor.KindOf(err) == karbor.Unauthorized:
		return lendable(err) // the token outlived what it was got by
	case errors.Is(err, provider.ErrUnknown):
		return &karbor.Error{Kind: karbor.NotFound, Cause: err, Message: karbor.Sentence(err) + " any more; ask your operator"}
	}
	return err
}

// runOf says for which run its user acts.
func runOf(r store.ClaimedRun) *protectionservice.ScheduledRun {
	return &protectionservice.ScheduledRun{
		Claim: r.Claim, ScheduledOperationID: r.ScheduledOperationID, TriggerID: r.Operation.TriggerID,
	}
}

// errBroken says that a delegation does not work any more.
var errBroken = errors.New("the delegation is broken")

// borrow gives the user of a run.
func (e *Engine) borrow(ctx context.Context, r store.ClaimedRun) (protectionservice.Caller, error) {
	if r.Delegation == nil {
		return protectionservice.Caller{}, &karbor.Error{Kind: karbor.Forbidden, Message: missingDelegation}
	}
	b, err := e.o.Lender.Borrow(ctx, r.ScheduledOperationID, r.Delegation)
	return protectionservice.Caller{Identity: b.Identity, Cloud: b.Cloud, Borrowed: &b.Delegation}, lendable(err)
}

// lendable says of an error of a Lender whether it means that the delegation is broken.
func lendable(err error) error {
	if err == nil || waits(err) {
		return err
	}
	return &karbor.Error{Kind: karbor.Unauthorized, Cause: errors.Join(errBroken, err), Message: brokenDelegation(err)}
}

// noteBroken notes that a delegation is broken, if that is why something failed. Keystone
// may have let a token go on whose trust is gone: then the cloud has refused it.
func (e *Engine) noteBroken(ctx context.Context, r store.ClaimedRun, why error, now time.Time) error {
	if !errors.Is(why, errBroken) && karbor.KindOf(why) != karbor.Unauthorized {
		return nil
	}
	d := store.LentDelegation{ScheduledOperationID: r.ScheduledOperationID, Sealed: r.Delegation}
	return e.o.Store.NoteDelegation(ctx, d, karbor.DelegationBroken, karbor.Sentence(why), now)
}

const missingDelegation = "it can't act as its user, as another user has changed its plan or trigger, or it is older than the operation engine; " +
	"update it, so that it may"

// brokenDelegation says what a broken delegation means, and what helps.
func brokenDelegation(err error) string {
	return "it can't act as its user any more: " + karbor.Sentence(err) + "; update it, so that it may"
}

// waits reports whether an error may be gone when it is tried again.
func waits(err error) bool {
	return karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Unavailable || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}

// Bounds of the time between two tries of one start.
const (
	firstPause = 5 * time.Second
	lastPause  = time.Minute
)

// pauseAfter gives when what failed is tried again, after so many tries.
func pauseAfter(tries int64) time.Duration {
	return min(firstPause<<min(max(tries-1, 0), 10), lastPause)
}

// settle notes why a run has not begun: it is tried again, or it ends.
func (e *Engine) settle(ctx context.Context, r store.ClaimedRun, why error, stopping bool) error {
	now := e.now()
	reason := karbor.Sentence(why)
	nothing := (*nothingToDoError)(nil)
	switch {
	case errors.As(why, &nothing):
		return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, karbor.RunSuccess, nothing.why, now)
	case stopping:
		return e.o.Store.PostponeRun(ctx, r.Claim, now, r.Reason)
	case waits(why):
		e.o.Logger.WarnContext(ctx, "a scheduled operation could not be started; it is tried again", "scheduled_operation", r.ScheduledOperationID,
			"run", r.ID, "project", r.ProjectID, "error", why)
		return e.o.Store.PostponeRun(ctx, r.Claim, now.Add(pauseAfter(r.Claim.Number)), reason)
	}
	e.o.Logger.WarnContext(ctx, "a scheduled operation could not be started", "scheduled_operation", r.ScheduledOperationID,
		"run", r.ID, "project", r.ProjectID, "error", why)
	if err := e.noteBroken(ctx, r, why, now); err != nil {
		return err
	}
	return e.o.Store.EndRun(ctx, r.Claim, r.ScheduledOperationID, karbor.RunError, reason, now)
}
