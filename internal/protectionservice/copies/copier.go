// Package copies makes the copies of checkpoints in the banks of copy targets, removes those
// that a target is not to keep any more, and has copies stand in for checkpoints that can't be
// read.
package copies

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
)

// Banks tell whether they can be used now; custody.Keeper knows.
type Banks interface {
	// Usable gives why the checkpoints of a place can't be changed now, and Readable why they
	// can't be read; nil where they can.
	Usable(place *provider.Provider) error
	Readable(place *provider.Provider) error
}

// Options of New. All are needed.
type Options struct {
	Store *store.Store
	Banks Banks
	// Transfers are the places for what moves bulk data.
	Transfers *transfer.Places
	// Guard watches over each copy.
	Guard deadline.Guard
	// Delete has a copy of a project deleted that its target is not to keep any more, through
	// the gate that all deletions go through.
	Delete func(ctx context.Context, projectID, providerID, id, reason string) error
	Now    func() time.Time
	Logger *slog.Logger
}

// Copier makes copies. It is safe for concurrent use.
type Copier struct {
	store     *store.Store
	banks     Banks
	transfers *transfer.Places
	guard     deadline.Guard
	delete    func(ctx context.Context, projectID, providerID, id, reason string) error
	now       func() time.Time
	log       *slog.Logger

	mu sync.Mutex
	// arrived is what is known of the packs at copy targets.
	arrived map[*provider.Provider]*verification.State
}

// New makes a copier.
func New(o Options) *Copier {
	return &Copier{
		store: o.Store, banks: o.Banks, transfers: o.Transfers, guard: o.Guard, delete: o.Delete, now: o.Now, log: o.Logger,
		arrived: map[*provider.Provider]*verification.State{},
	}
}
