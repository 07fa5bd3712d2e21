package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

const (
	// migrator is the name under which the local engine is kept from running meanwhile.
	migrator = "karbord engine migrate"
	// migrationTime is how long it is kept so at a time.
	migrationTime = time.Minute
)

// Migrate hands the unfinished operations of the local engine to the Temporal cluster that
// the configuration names, as far as they are, and gives their number. No process with the
// role protection may run. It may be repeated after any failure. One that can't be handed over
// keeps no other: the error names it, and where the journal has it damaged, it begins anew from
// its rows. Of Options, Config, Now and Logger count.
func Migrate(ctx context.Context, o Options) (moved int, err error) {
	if o.Config.Engine.Type != config.TemporalEngine {
		return 0, errors.New("the configuration names no Temporal cluster: set engine.type to temporal first")
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	to, err := OpenTemporal(ctx, o.Config, enginePlaces(), migrator, o.Now, o.Logger)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	journal := s.Journal()
	token, left, err := journal.Acquire(ctx, migrator, migrationTime)
	if errors.Is(err, local.ErrHeld) {
		return 0, fmt.Errorf("a process with the role protection runs, or has not ended well: stop it, or wait for %s", left.Round(time.Second))
	}
	if err != nil {
		return 0, fmt.Errorf("taking the journal's lease: %w", err)
	}
	defer func() { err = errors.Join(err, journal.Release(context.WithoutCancel(ctx), token)) }()
	m := newMover(o, s, to, token)
	err = m.all(ctx)
	return m.moved, err
}

// cluster takes operations over.
type cluster interface {
	Adopt(ctx context.Context, found local.Recorded) error
}

// mover hands operations over.
type mover struct {
	now     func() time.Time
	store   *store.Store
	journal local.Journal
	to      cluster
	token   int64
	moved   int
	// left says, of each operation that was not handed over, why.
	left map[string]error
}

func newMover(o Options, s *store.Store, to cluster, token int64) *mover {
	return &mover{now: o.Now, store: s, journal: s.Journal(), to: to, token: token, left: map[string]error{}}
}

// pageOf is how many operations are read at a time.
const pageOf = 100

// all hands over the operations of all shares. One that can't be keeps no other.
func (m *mover) all(ctx context.Context) error {
	shares, err := m.journal.Shares(ctx)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	for share := range shares {
		for some := true; some; {
			// What is moved is no more in the list, what is left may be.
			page, err := m.journal.Unfinished(ctx, share, len(m.left)+pageOf)
			if err != nil {
				return fmt.Errorf("reading the journal: %w", err)
			}
			some = false
			for _, record := range page {
				if m.left[record.ID] != nil {
					continue
				}
				some = true
				if err := m.one(ctx, record.ID); err != nil {
					return err
				}
			}
		}
	}
	return errors.Join(slices.Collect(maps.Values(m.left))...)
}

// one hands an operation over, or notes why that can't be. An error says that others could
// not be handed over either.
func (m *mover) one(ctx context.Context, id string) error {
	found, err := m.journal.Load(ctx, id)
	if errors.Is(err, workflow.ErrDamaged) {
		m.left[id] = fmt.Errorf("the operation %s is not handed over, but begins anew from its rows: %w", id, err)
		if err := m.store.Rebuild(ctx, m.token, id); err != nil {
			return fmt.Errorf("having operation %s begin anew: %w", id, err)
		}
		return m.keep(ctx)
	}
	if err != nil {
		return fmt.Errorf("reading operation %s: %w", id, err)
	}
	if err := m.to.Adopt(ctx, found); err != nil {
		if karbor.KindOf(err) != karbor.Invalid {
			return err
		}
		m.left[id] = fmt.Errorf("the operation %s is not handed over: %w", id, err)
		return nil
	}
	// For the journal it is over; the cluster has it.
	found.State, found.EndedAt = workflow.Cancelled, m.now()
	if err := m.journal.Record(ctx, m.token, local.Batch{Operations: []local.OperationRecord{found.OperationRecord}}); err != nil {
		return fmt.Errorf("leaving operation %s to the cluster: %w", id, err)
	}
	if err := m.journal.Forget(ctx, id); err != nil {
		return fmt.Errorf("forgetting operation %s: %w", id, err)
	}
	m.moved++
	return m.keep(ctx)
}

// keep prolongs the lease.
func (m *mover) keep(ctx context.Context) error {
	if err := m.journal.Renew(ctx, m.token, migrationTime); err != nil {
		return fmt.Errorf("keeping the journal's lease: %w", err)
	}
	return nil
}
