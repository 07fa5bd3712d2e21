package operationengine

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

const (
	// tidyPause is the time between two looks at the delegations, and tidyBatch how many
	// of them are dealt with in one.
	tidyPause = 15 * time.Second
	tidyBatch = 20
	// doubtPause is when a delegation is tried again of which Keystone said nothing, or
	// which could not be given back.
	doubtPause = 5 * time.Minute
)

// runTidier looks after the delegations until ctx ends.
func (e *Engine) runTidier(ctx context.Context) {
	ticker := time.NewTicker(tidyPause)
	defer ticker.Stop()
	for {
		if err := e.Tidy(ctx); err != nil && ctx.Err() == nil {
			e.o.Logger.ErrorContext(ctx, "looking after the delegations of scheduled operations failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Tidy tries some delegations whether they still work, and gives those back that
// nobody uses any more, or that a process has left which died while it made them.
func (e *Engine) Tidy(ctx context.Context) error {
	now := e.now()
	due, err := e.o.Store.DueProbes(ctx, now, now.Add(e.o.ProbeInterval), tidyBatch)
	if err != nil {
		return err
	}
	for _, d := range due {
		if err := e.probe(ctx, d); err != nil {
			return err
		}
	}
	returned, err := e.o.Store.ReturnedDelegations(ctx, now, tidyBatch)
	if err != nil {
		return err
	}
	for _, d := range returned {
		if err := e.giveBack(ctx, d); err != nil {
			return err
		}
	}
	left, err := e.o.Store.LeftLendings(ctx, now, tidyBatch)
	if err != nil {
		return err
	}
	for _, l := range left {
		if err := e.reclaim(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// reclaim gives back what a process has left that died while it made it.
func (e *Engine) reclaim(ctx context.Context, l store.Lending) error {
	call, cancel := context.WithTimeout(ctx, e.o.StartTimeout)
	err := e.o.Lender.Reclaim(call, l)
	cancel()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return e.o.Store.EndLending(ctx, l.ID, time.Time{})
	}
	e.o.Logger.WarnContext(ctx, "it can't be told whether a trust was left; it is tried again", "user", l.UserID, "project", l.ProjectID, "error", err)
	return e.o.Store.EndLending(ctx, l.ID, e.now().Add(doubtPause))
}

// probe finds out whether a delegation works, before it is needed.
func (e *Engine) probe(ctx context.Context, d store.LentDelegation) error {
	call, cancel := context.WithTimeout(ctx, e.o.StartTimeout)
	err := e.o.Lender.ProbeLent(call, d.ScheduledOperationID, d.Sealed)
	cancel()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return e.o.Store.NoteDelegation(ctx, d, karbor.DelegationGood, "", e.now())
	case waits(err):
		// That Keystone is away says nothing of the delegation.
		return e.o.Store.ProbeAgain(ctx, d, e.now().Add(doubtPause))
	}
	e.o.Logger.WarnContext(ctx, "a scheduled operation can't act as its user any more", "scheduled_operation", d.ScheduledOperationID, "error", err)
	return e.o.Store.NoteDelegation(ctx, d, karbor.DelegationBroken, brokenDelegation(err), e.now())
}

func (e *Engine) giveBack(ctx context.Context, d store.ReturnedDelegation) error {
	err := e.o.Lender.ReturnLent(ctx, d.ScheduledOperationID, d.Sealed)
	if err != nil && waits(err) {
		return e.o.Store.GaveBack(ctx, d.ID, e.now().Add(doubtPause))
	}
	if err != nil {
		e.o.Logger.WarnContext(ctx, "a delegation can't be given back", "scheduled_operation", d.ScheduledOperationID, "error", err)
	}
	return e.o.Store.GaveBack(ctx, d.ID, time.Time{})
}
