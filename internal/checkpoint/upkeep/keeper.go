package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/session"
)

// Options of New.
type Options struct {
	// Name is what logs call the bank.
	Name string
	// Bank, Checkpoints and Domains are what is looked after. They are required.
	Bank        bank.Bank
	Checkpoints *checkpoint.Checkpoints
	Domains     *repository.Domains
	// Copies are other banks that may have the same packs: what is damaged is taken from there.
	Copies []bank.Bank
	Policy Policy
	// States is the folder that keeps what was verified; "" keeps it in memory only.
	States string
	// Now is the local clock. Required.
	Now    func() time.Time
	Logger *slog.Logger
}

// Keeper looks after one bank, and does one thing at a time. Its methods may be called concurrently; Run is called once.
type Keeper struct {
	options Options
	policy  Policy
	log     *slog.Logger
	states  states
	wake    chan struct{}

	// cares and scanned are Run's own.
	cares   map[string]*care
	scanned time.Time // by the bank's clock; zero is never
	refused bool      // it was told that the bank is not collected
	shared  time.Time // when the day's share of verifying was begun, by the local clock
	// lookedAt is the checkpoint that was compared with its list of contents last; "" begins anew.
	lookedAt string

	mu    sync.Mutex
	freed map[string]bool // domains in which something was deleted
}

const (
	// scanEvery is how often the bank is asked what others have deleted in it.
	scanEvery = 10 * time.Minute
	// settleAge is how old a pack must be to be collected: it may be of a stream that is written just now.
	settleAge = 10 * time.Minute
	// longestWait bounds a pause: hours may begin meanwhile.
	longestWait = 10 * time.Minute
	// shortestWait bounds it from below.
	shortestWait = time.Second
)

// New gives a Keeper.
func New(o Options) (*Keeper, error) {
	if o.Bank == nil || o.Checkpoints == nil || o.Domains == nil || o.Now == nil {
		return nil, karbor.Errorf(karbor.Internal, "looking after a bank needs the bank, its checkpoints, keys and a clock")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{options: o, policy: o.Policy.filled(), log: o.Logger.With("bank", o.Name), states: newStates(o.States),
		wake: make(chan struct{}, 1), cares: map[string]*care{}, freed: map[string]bool{}}, nil
}

// Freed tells that something of a project was deleted just now. It returns at once.
func (k *Keeper) Freed(project string) {
	k.mu.Lock()
	k.freed[k.options.Domains.Domain(project)] = true
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run looks after the bank until ctx ends. What goes wrong is logged and tried again.
func (k *Keeper) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := k.round(ctx)
		timer := time.NewTimer(max(shortestWait, min(wait, longestWait)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-k.wake:
		}
		timer.Stop()
	}
}

// round does what is due, and gives how long nothing will be.
func (k *Keeper) round(ctx context.Context) time.Duration {
	if !k.policy.Hours.Open(k.options.Now()) {
		return longestWait
	}
	wait := longestWait
	if k.collects(ctx) {
		wait = k.collectDue(ctx)
	}
	if ctx.Err() == nil {
		k.verifyShare(ctx)
	}
	return wait
}

// collects reports whether the bank is collected, and says once if it is not.
func (k *Keeper) collects(ctx context.Context) bool {
	if k.policy.Off {
		return false
	}
	if k.options.Bank.Traits().AtomicCreate || k.policy.Only {
		return true
	}
	if !k.refused {
		k.refused = true
		k.log.WarnContext(ctx, "the space of deleted checkpoints does not come back by itself: on this bank two collectors could be at work, "+
			"so the provider's file must name this service as the only one (upkeep.only)")
	}
	return false
}

// collectDue collects in the domains in which that is due.
func (k *Keeper) collectDue(ctx context.Context) time.Duration {
	now, err := k.options.Bank.Now(ctx)
	if err == nil && now.Sub(k.scanned) >= scanEvery {
		err = k.scan(ctx, now)
	}
	if err == nil {
		err = k.takeFreed(ctx, now)
	}
	if err != nil {
		if ctx.Err() == nil {
			k.log.WarnContext(ctx, "looking for what is to be collected failed; it is tried again", "error", err)
		}
		return firstRetry
	}
	wait := scanEvery - now.Sub(k.scanned)
	for _, domain := range slices.Sorted(maps.Keys(k.cares)) {
		c := k.cares[domain]
		if due := c.due(k.policy); due.After(now) {
			wait = min(wait, due.Sub(now))
			continue
		}
		if !k.policy.Hours.Open(k.options.Now()) {
			return longestWait
		}
		k.collect(ctx, domain, c)
		if now, err = k.options.Bank.Now(ctx); err != nil || ctx.Err() != nil {
			return firstRetry
		}
		wait = min(wait, c.due(k.policy).Sub(now))
	}
	return wait
}

// takeFreed takes in what Freed was told. A domain may be newer than the last scan.
func (k *Keeper) takeFreed(ctx context.Context, now time.Time) error {
	k.mu.Lock()
	freed := k.freed
	k.freed = map[string]bool{}
	k.mu.Unlock()
	for domain := range freed {
		c := k.cares[domain]
		if c == nil {
			var err error
			if c, err = k.meet(ctx, domain); err != nil {
				return err // the next scan finds the tombstone
			}
			k.cares[domain] = c
		}
		c.deleted = now
	}
	return nil
}

// scan learns which domains there are, and what was deleted in them: by this service before it was
// started anew, and by others.
func (k *Keeper) scan(ctx context.Context, now time.Time) error {
	names, err := survey.DomainNames(ctx, k.options.Bank)
	if err != nil {
		return err
	}
	deletions, err := k.options.Checkpoints.Deletions(ctx)
	if err != nil {
		return err
	}
	cares := map[string]*care{}
	for _, domain := range names {
		c := k.cares[domain]
		if c == nil {
			if c, err = k.meet(ctx, domain); err != nil {
				return err
			}
		}
		cares[domain] = c
	}
	for project, at := range deletions {
		if c := cares[k.options.Domains.Domain(project)]; c != nil && at.After(c.deleted) {
			c.deleted = at
		}
	}
	k.cares, k.scanned = cares, now
	return nil
}

// meet learns of a domain when it was collected last.
func (k *Keeper) meet(ctx context.Context, domain string) (*care, error) {
	last, err := collection.ReadLast(ctx, k.options.Bank, domain)
	if err != nil {
		return nil, err
	}
	c := &care{}
	if last.Done {
		c.collected = last.Began
	}
	if c.collected.IsZero() {
		i, err := k.options.Bank.Stat(ctx, dedup.DocumentKey(domain))
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return nil, err
		}
		c.collected = i.ModTime
	}
	if last.Told.After(last.Began) && !last.Done {
		c.again = last.Until // it was broken off, or goes on
	}
	_, _, err = session.NewestEpoch(ctx, k.options.Bank, domain, 0)
	if _, damaged := errors.AsType[*session.DamagedEpochError](err); damaged {
		c.again = c.collected // nobody can write before the next collection
	}
	return c, nil
}
