package daemon

import (
	"context"

	"github.com/karbor/karbor/internal/operationengine"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
)

// openSchedules makes the engine of scheduled operations.
func (d *Daemon) openSchedules(o Options) {
	c := o.Config.Schedules
	d.schedules = operationengine.New(operationengine.Options{
		Store: d.store, Lender: d.delegations, Runners: operationengine.NewRunners(d.service, d.store, o.Now), Node: d.reporter.host,
		Workers: c.Workers, ProbeInterval: c.ProbeInterval, Now: o.Now, Logger: o.Logger,
	})
}

// runSchedules runs scheduled operations until ctx ends.
func (d *Daemon) runSchedules(ctx context.Context) error { return d.schedules.Run(ctx) }

// lending says how users lend their rights to their scheduled operations.
func lending(o Options) delegation.Lending {
	return delegation.Lending{Lifetime: o.Config.Schedules.DelegationLifetime, Withheld: o.Config.Schedules.WithheldRoles}
}
