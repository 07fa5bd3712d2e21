package operationengine

import (
	"context"
	"errors"

	"github.com/karbor/karbor/internal/store"
)

// Finish ends the runs whose operations are over, and does what is to be done after
// them, one after another.
func (e *Engine) Finish(ctx context.Context) error {
	var failed error
	err := e.finishAll(ctx, func(r store.ClaimedRun) { failed = errors.Join(failed, e.after(ctx, r)) })
	return errors.Join(failed, err)
}

// Start begins all runs that may begin, one after another.
func (e *Engine) Start(ctx context.Context) error {
	for {
		claimed, looked, err := e.claim(ctx, claimFactor*e.o.Workers)
		if err != nil {
			return err
		}
		for _, r := range claimed {
			e.start(ctx, r)
		}
		if looked < claimFactor*e.o.Workers || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
