// Package quota says how much a project may have, and how much it has. The limits
// hold in the store, in the transactions that make plans and checkpoints; this
// package is what the API and the operator see of them.
package quota

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor/internal/store"
)

// Store keeps limits and usages; store.Store is one.
type Store interface {
	Limits(ctx context.Context, projectID string, configured store.Limits) (store.Limits, error)
	ClassLimits(ctx context.Context, class string, configured store.Limits) (store.Limits, error)
	SetLimits(ctx context.Context, projectID string, l store.Limits) error
	SetClassLimits(ctx context.Context, class string, l store.Limits) error
	DeleteLimits(ctx context.Context, projectID string) error
	Usages(ctx context.Context, projectID string) (map[store.QuotaResource]store.Usage, error)
	SweepReservations(ctx context.Context) (int, error)
	SyncUsages(ctx context.Context) ([]string, error)
}

var _ Store = (*store.Store)(nil)

// Options of New. All are needed.
type Options struct {
	Store Store
	// Configured are the limits of a project that nobody has set any for.
	Configured store.Limits
	Logger     *slog.Logger
}

// Quotas are the quotas of all projects. They are safe for concurrent use.
type Quotas struct {
	store      Store
	configured store.Limits
	log        *slog.Logger
}

// New makes Quotas.
func New(o Options) *Quotas {
	return &Quotas{store: o.Store, configured: o.Configured, log: o.Logger}
}

// Entry is the limit of one resource and what a project has of it.
type Entry struct {
	Limit           int64
	InUse, Reserved int64
}

// Limits gives the limits of a project.
func (q *Quotas) Limits(ctx context.Context, projectID string) (store.Limits, error) {
	return q.store.Limits(ctx, projectID, q.configured)
}

// Defaults gives the limits of a project that nobody has set any for.
func (q *Quotas) Defaults(ctx context.Context) (store.Limits, error) {
	return q.store.Limits(ctx, "", q.configured)
}

// Detail gives the limits of a project, and what it has.
func (q *Quotas) Detail(ctx context.Context, projectID string) (map[store.QuotaResource]Entry, error) {
	l, err := q.Limits(ctx, projectID)
	if err != nil {
		return nil, err
	}
	usages, err := q.store.Usages(ctx, projectID)
	if err != nil {
		return nil, err
	}
	out := map[store.QuotaResource]Entry{}
	for _, r := range store.QuotaResources() {
		out[r] = Entry{Limit: l.Of(r), InUse: usages[r].InUse, Reserved: usages[r].Reserved}
	}
	return out, nil
}

// Set sets limits of a project, and gives all of its limits.
func (q *Quotas) Set(ctx context.Context, projectID string, l store.Limits) (store.Limits, error) {
	if err := q.store.SetLimits(ctx, projectID, l); err != nil {
		return nil, err
	}
	return q.Limits(ctx, projectID)
}

// Reset takes the limits of a project's own away.
func (q *Quotas) Reset(ctx context.Context, projectID string) error {
	return q.store.DeleteLimits(ctx, projectID)
}

// Class gives the limits of a quota class.
func (q *Quotas) Class(ctx context.Context, name string) (store.Limits, error) {
	return q.store.ClassLimits(ctx, name, q.configured)
}

// SetClass sets limits of a quota class, and gives all of its limits.
func (q *Quotas) SetClass(ctx context.Context, name string, l store.Limits) (store.Limits, error) {
	if err := q.store.SetClassLimits(ctx, name, l); err != nil {
		return nil, err
	}
	return q.Class(ctx, name)
}

// Sync makes the usages of all projects what is really there, and says in the log
// which were not.
func (q *Quotas) Sync(ctx context.Context) error {
	wrong, err := q.store.SyncUsages(ctx)
	for _, project := range wrong {
		q.log.WarnContext(ctx, "what a project uses of its quotas was counted anew", "project", project)
	}
	return err
}

// sweepPeriod is how often Run looks for reservations of operations that are gone.
const sweepPeriod = 10 * time.Minute

// Run gives back, now and then, what is set aside for operations that are gone,
// until ctx ends.
func (q *Quotas) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		n, err := q.store.SweepReservations(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			q.log.ErrorContext(ctx, "looking for dead reservations failed; it is tried again", "error", err)
		case n > 0:
			q.log.WarnContext(ctx, "reservations of operations that are gone were given back", "operations", n)
		}
	}
}
