package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// openEngine makes the engine that runs the service's operations.
func (d *Daemon) openEngine(o Options, owner string) error {
	var err error
	d.engine, err = local.New(local.Options{
		Options: workflow.Options{
			Actions: d.service.Actions(), Default: d.service.Places(), Context: d.service.Context,
		},
		Journal: d.store.Journal(), Owner: owner, Logger: o.Logger, Now: o.Now, Linger: engineLinger,
	})
	if err != nil {
		return fmt.Errorf("making the engine: %w", err)
	}
	d.service.SetEngine(d.engine)
	return nil
}

// engineLinger is how long the ends of operations wait for each other, to be journalled
// at once.
const engineLinger = 250 * time.Millisecond

// enginePause is how long the engine rests after it could not go on.
const enginePause = 2 * time.Second

// runEngine runs operations until ctx ends. An engine that lost its lease, or could
// not get it (the database's disk is full, say), begins anew: the API goes on
// meanwhile, and what is accepted waits.
func (d *Daemon) runEngine(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.running.Store(true)
		err := d.engine.Run(ctx)
		d.running.Store(false)
		if ctx.Err() != nil || err == nil {
			return err
		}
		d.log.ErrorContext(ctx, "the engine could not go on; it begins anew", "error", err)
		timer.Reset(enginePause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}
