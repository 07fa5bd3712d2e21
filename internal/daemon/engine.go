package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
	"github.com/karbor/karbor/internal/workflow/temporal"
)

// engine runs the service's operations, in this process or, without Run, in others.
type engine interface {
	workflow.Engine
	Run(ctx context.Context) error
}

// openEngine makes the engine that the configuration names.
func (d *Daemon) openEngine(ctx context.Context, o Options, owner string) error {
	shared := enginePlaces()
	shared.Actions, shared.Context = d.service.Actions(), d.service.Context
	if o.Config.Engine.Type == config.TemporalEngine {
		e, err := OpenTemporal(ctx, o.Config, shared, d.reporter.host+"/"+owner, o.Now, o.Logger)
		if err != nil {
			return fmt.Errorf("making the engine: %w", err)
		}
		d.engine, d.closeEngine = e, e.Close
	} else {
		e, err := local.New(local.Options{
			Options: shared, Journal: d.store.Journal(), Owner: owner, Logger: o.Logger, Now: o.Now, Linger: engineLinger,
		})
		if err != nil {
			return fmt.Errorf("making the engine: %w", err)
		}
		d.engine = e
	}
	d.service.SetEngine(d.engine)
	return nil
}

// enginePlaces are the numbers of places in the pools of every engine. An operation takes them
// along when it is handed over.
func enginePlaces() workflow.Options {
	return workflow.Options{Default: protectionservice.Places, Limits: protectionservice.Limits()}
}

// OpenTemporal connects to the Temporal cluster that the configuration names; owner is
// the process's name there.
func OpenTemporal(
	ctx context.Context, c config.Config, shared workflow.Options, owner string, now func() time.Time, log *slog.Logger,
) (*temporal.Engine, error) {
	t := c.Engine.Temporal
	ca, certificate, key, err := t.TLS.Files()
	if err != nil {
		return nil, err
	}
	return temporal.Open(ctx, temporal.Options{
		Options: shared, Queue: t.Queue, Owner: owner, Now: now, Logger: log,
		Cluster: temporal.Cluster{
			Address: t.Address, Namespace: t.Namespace, TLS: t.TLS.Enabled, CA: ca,
			Certificate: certificate, Key: key, ServerName: t.TLS.ServerName,
		},
	})
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
