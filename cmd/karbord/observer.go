package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// observer tells how far operations are, as the engine that the configuration names has
// them. It starts nothing.
type observer struct {
	engine interface {
		Describe(ctx context.Context, operation string) (workflow.Description, error)
	}
	// away is why the engine does not answer; nil as long as it does.
	away error
}

// observed does something with an observer, in the database that the configuration names.
func observed(cmd *cobra.Command, do func(context.Context, *store.Store, *observer) error) error {
	c, err := configured.Load(cmd)
	if err != nil {
		return err
	}
	const name = "karbord operation"
	return onDatabase(cmd, func(ctx context.Context, s *store.Store) error {
		if c.Engine.Type == config.TemporalEngine {
			cluster, err := daemon.OpenTemporal(ctx, c, workflow.Options{}, name, time.Now, configured.Logger(cmd.ErrOrStderr(), c.Log))
			if err != nil {
				return do(ctx, s, &observer{away: err})
			}
			return errors.Join(do(ctx, s, &observer{engine: cluster}), cluster.Close())
		}
		engine, err := local.New(local.Options{Journal: s.Journal(), Owner: name, Now: time.Now})
		if err != nil {
			return err
		}
		return do(ctx, s, &observer{engine: engine})
	})
}

// describe tells what the engine knows of an operation. One that it has not got yet, or has
// forgotten, has no state. An engine that does not answer is asked no more.
func (o *observer) describe(ctx context.Context, id string) (workflow.Description, error) {
	if o.away != nil {
		return workflow.Description{}, nil
	}
	d, err := o.engine.Describe(ctx, id)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return workflow.Description{}, nil
	case err != nil && karbor.IsTransient(err):
		o.away = err
		return workflow.Description{}, nil
	case errors.Is(err, workflow.ErrDamaged):
		return workflow.Description{State: workflow.Failed, Cancelled: damagedHint + err.Error()}, nil
	}
	return d, err
}

// damagedHint begins what an operation does that is damaged in the journal.
const damagedHint = "does not go on, see karbord engine rebuild: "

// doing says in a few words what an operation does.
func (o *observer) doing(d workflow.Description) string {
	if o.away != nil && d.State == "" {
		return "the engine does not say: " + o.away.Error()
	}
	return doing(d)
}
