// Package custody looks after the banks of the providers: it takes and renews the leases,
// fills the catalogue from a bank, which is the truth, takes over what services that are gone
// left unfinished, removes old tombstones, frees the space of what was deleted, and verifies.
// It tells whether a bank can be used now.
package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All but Upkeep and Front are needed.
type Options struct {
	Store     *store.Store
	Providers []*provider.Provider
	// Upkeep says how the banks are looked after; zero members have defaults.
	Upkeep Upkeep
	// Front says that this process opens no bank: all count as usable, and neither Open, Run
	// nor Keep is called. The processes that do the work find out.
	Front bool
	// Keys are what records of drills are checked with: a catalogue that is filled from a bank has the
	// drills that these have signed. None takes none.
	Keys   []evidence.PublicKey
	Now    func() time.Time
	Logger *slog.Logger
}

// Keeper looks after the banks. It is safe for concurrent use.
type Keeper struct {
	store     *store.Store
	providers []*provider.Provider
	upkeep    Upkeep
	front     bool
	keys      []evidence.PublicKey
	now       func() time.Time
	log       *slog.Logger

	mu sync.Mutex
	// banks tell how far the service is with each place.
	banks map[*provider.Provider]bankState
	// care looks after what lies in the banks.
	care caretakers
}

// New makes the keeper of the banks of some providers.
func New(o Options) *Keeper {
	return &Keeper{
		store: o.Store, providers: o.Providers, upkeep: o.Upkeep.filled(), front: o.Front, keys: o.Keys, now: o.Now, log: o.Logger,
		banks: map[*provider.Provider]bankState{},
	}
}

// Interval is the time between two rounds of upkeep.
func (k *Keeper) Interval() time.Duration { return k.upkeep.Interval }

// Open makes the providers ready: it takes the lease in each bank, and fills the
// catalogue from it if need be. A bank that can't be used, or is not through when ctx
// ends, is left to Keep; its provider refuses changes until then.
func (k *Keeper) Open(ctx context.Context) {
	var group errgroup.Group
	for _, p := range k.places() {
		group.Go(func() error {
			if k.lease(ctx, p) {
				k.fillFrom(ctx, p)
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
}

// Keep looks after the banks until ctx ends: it gets at those that could not be used,
// renews the leases, and releases them at the end; it takes over the unfinished
// checkpoints of services that are gone, removes old tombstones, frees the space of what was
// deleted, and verifies, as the providers' files say. It returns early only if another
// process has taken a lease.
func (k *Keeper) Keep(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range k.places() {
		group.Go(func() error { return k.keep(ctx, p) })
	}
	return group.Wait()
}

func (k *Keeper) keep(ctx context.Context, p *provider.Provider) error {
	for !k.bankOf(p).leased {
		if !sleep(ctx, k.upkeep.Retry) {
			return nil
		}
		k.lease(ctx, p)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := p.Run(ctx, func(err error) { k.renewed(ctx, p, err) })
		if err != nil {
			return fmt.Errorf("keeping the lease of provider %s: %w", p.Place(), err)
		}
		return nil
	})
	group.Go(func() error {
		k.lookAfter(ctx, p)
		return nil
	})
	group.Go(func() error {
		k.lockHeld(ctx, p)
		return nil
	})
	group.Go(func() error {
		for !k.bankOf(p).filled {
			if k.fillFrom(ctx, p); !k.bankOf(p).filled && !sleep(ctx, k.upkeep.Retry) {
				return nil
			}
		}
		for {
			k.tidy(ctx, p)
			k.tellAsked(ctx, p)
			if !sleep(ctx, k.upkeep.Interval) {
				return nil
			}
		}
	})
	return group.Wait()
}

// lease takes the lease in a provider's bank.
func (k *Keeper) lease(ctx context.Context, p *provider.Provider) bool {
	// A bank that hangs must not hang the loop, and one that works has the time that a
	// few calls take, however often it is tried.
	try, cancel := context.WithTimeout(ctx, max(k.upkeep.Retry, time.Second))
	defer cancel()
	err := p.Acquire(try)
	k.note(ctx, p, "taking the lease in a bank", err)
	if err == nil {
		k.changeBank(p, func(b *bankState) { b.leased = true })
	}
	return err == nil
}

// renewed notes how the renewal of a lease went.
func (k *Keeper) renewed(ctx context.Context, p *provider.Provider, err error) {
	k.note(ctx, p, "renewing the lease in a bank", err)
}

// note keeps what went wrong, or that it works again, and logs it once.
func (k *Keeper) note(ctx context.Context, p *provider.Provider, doing string, err error) {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	was := k.bankOf(p).trouble
	k.changeBank(p, func(b *bankState) { b.trouble = err })
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		k.log.ErrorContext(ctx, "a bank can't be used; it is tried again, and until then the provider's checkpoints can't be changed",
			"provider", p.Place(), "doing", doing, "error", err)
	case err == nil && was != nil:
		k.log.InfoContext(ctx, "a bank can be used again", "provider", p.Place())
	}
}

// fillFrom fills the catalogue from a provider's bank.
func (k *Keeper) fillFrom(ctx context.Context, p *provider.Provider) {
	err := k.fill(ctx, p)
	k.note(ctx, p, "filling the catalogue from a bank", err)
	if err == nil {
		k.changeBank(p, func(b *bankState) { b.filled = true })
	}
}

// sleep waits; it reports false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
