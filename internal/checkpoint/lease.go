package checkpoint

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Lease is an owner's right to change checkpoints: an object in the bank that is
// renewed while the owner runs. Its time is the bank's; between two looks at the
// bank's clock the owner measures with its own, from before the look on, so that
// it always thinks that the lease ends earlier than the others do. All methods
// may be called concurrently.
type Lease struct {
	bank    bank.Bank
	options Options
	// instance tells this process from others that use the same owner name.
	instance string

	renewing sync.Mutex // one renewal at a time

	mu       sync.Mutex
	held     bool
	sequence int
	since    time.Time // local, before the bank's clock was read
	bankTime time.Time // what the bank's clock said
}

// leaseDocument is one renewal of a lease.
type leaseDocument struct {
	Layout    int       `json:"layout"`
	Owner     string    `json:"owner"`
	Instance  string    `json:"instance"`
	Sequence  int       `json:"sequence"`
	RenewedAt time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Acquire takes the lease. An earlier process with the same owner name that
// still runs loses it.
func (l *Lease) Acquire(ctx context.Context) error {
	if l.options.Owner == "" {
		return karbor.Errorf(karbor.Internal, "the bank was opened for reading only")
	}
	l.renewing.Lock()
	defer l.renewing.Unlock()
	numbers, err := sequences(ctx, l.bank, leasePrefix(l.options.Owner))
	if err != nil {
		return fmt.Errorf("acquiring the lease of %s: %w", l.options.Owner, err)
	}
	newest := 0
	if len(numbers) > 0 {
		newest = numbers[len(numbers)-1]
	}
	if err := l.write(ctx, newest+1); err != nil {
		return fmt.Errorf("acquiring the lease of %s: %w", l.options.Owner, err)
	}
	return l.drop(ctx, numbers)
}

// Renew prolongs the lease. It fails with karbor.Conflict when another process
// has acquired it meanwhile: then this one has lost it for good.
func (l *Lease) Renew(ctx context.Context) error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	l.mu.Lock()
	held, old := l.held, l.sequence
	l.mu.Unlock()
	if !held {
		return l.lost()
	}
	err := l.write(ctx, old+1)
	var numbers []int
	if err == nil {
		numbers, err = sequences(ctx, l.bank, leasePrefix(l.options.Owner))
	}
	if err == nil && len(numbers) > 0 && numbers[len(numbers)-1] > l.current() {
		err = l.lost()
	}
	if karbor.KindOf(err) == karbor.Conflict {
		l.mu.Lock()
		l.held = false
		l.mu.Unlock()
		return l.lost()
	}
	if err != nil {
		return fmt.Errorf("renewing the lease of %s: %w", l.options.Owner, err)
	}
	return l.drop(ctx, numbers)
}

func (l *Lease) lost() error {
	return karbor.Errorf(karbor.Conflict, "the lease of %s is held by another process", l.options.Owner)
}

// write publishes renewal n, or the first number after it that an earlier try of
// this process, whose answer got lost, has not used up; and notes it.
func (l *Lease) write(ctx context.Context, n int) error {
	for ; n <= maxSequence; n++ {
		since := l.options.Now()
		now, err := l.bank.Now(ctx)
		if err != nil {
			return err
		}
		doc := leaseDocument{
			Layout: layout, Owner: l.options.Owner, Instance: l.instance, Sequence: n,
			RenewedAt: stored(now), ExpiresAt: stored(now.Add(l.options.LeaseExpire)),
		}
		key := leasePrefix(l.options.Owner) + sequence(n)
		err = writeRenewal(bank.Urgent(ctx), l.bank, key, doc)
		if karbor.KindOf(err) == karbor.Conflict {
			if there, getErr := readRenewal(ctx, l.bank, key); getErr != nil || there.Instance != l.instance {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held, l.sequence, l.since, l.bankTime = true, n, since, doc.RenewedAt
		return nil
	}
	return karbor.Errorf(karbor.Internal, "the lease of %s has been renewed too often", l.options.Owner)
}

// current gives the number of the newest renewal.
func (l *Lease) current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sequence
}

// drop removes those renewals of numbers that are older than the newest.
func (l *Lease) drop(ctx context.Context, numbers []int) error {
	newest := l.current()
	for _, n := range numbers {
		if n >= newest {
			continue
		}
		if err := l.bank.Delete(ctx, leasePrefix(l.options.Owner)+sequence(n)); err != nil {
			return fmt.Errorf("removing an old renewal of the lease of %s: %w", l.options.Owner, err)
		}
	}
	return nil
}

// Left gives how long the lease lives on; 0 or less if it has ended or isn't held.
func (l *Lease) Left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return 0
	}
	return l.options.LeaseExpire - l.options.Now().Sub(l.since)
}

// Valid reports, as a transient error, that the lease has less than
// LeaseValidity left.
func (l *Lease) Valid() error {
	if left := l.Left(); left < l.options.LeaseValidity || left <= 0 {
		return karbor.Transientf("the lease of %s on the bank has %v left, which is too little to publish", l.options.Owner, max(0, left.Round(time.Second)))
	}
	return nil
}

// now estimates the bank's time without asking it. Call it while the lease is held.
func (l *Lease) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bankTime.Add(l.options.Now().Sub(l.since))
}

// publishing gives a context that ends with the lease, or the error of Valid.
func (l *Lease) publishing(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := l.Valid(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.Left())
	return ctx, cancel, nil
}

// Release gives the lease up, so that others need not wait for its end. Claims on
// unfinished checkpoints stay, and become zombies.
func (l *Lease) Release(ctx context.Context) error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	l.mu.Lock()
	held, n := l.held, l.sequence
	l.held = false
	l.mu.Unlock()
	if !held {
		return nil
	}
	if err := l.bank.Delete(ctx, leasePrefix(l.options.Owner)+sequence(n)); err != nil {
		return fmt.Errorf("releasing the lease of %s: %w", l.options.Owner, err)
	}
	return nil
}

// Run renews the acquired lease until ctx ends, and then returns nil. When a
// renewal fails it tries again, eight times as often. It returns early, with
// karbor.Conflict, only when another process has taken the lease. failed, if
// given, hears of each failure.
func (l *Lease) Run(ctx context.Context, failed func(error)) error {
	wait := l.options.LeaseRenew
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		// A bank that hangs must not hang the loop.
		try, cancel := context.WithTimeout(ctx, l.options.LeaseRenew)
		err := l.Renew(try)
		cancel()
		wait = l.options.LeaseRenew
		switch {
		case err == nil || ctx.Err() != nil:
		case karbor.KindOf(err) == karbor.Conflict:
			return err
		default:
			wait /= 8
			if failed != nil {
				failed(err)
			}
		}
	}
}

// alive reports whether an owner's lease has not yet ended by the bank's clock.
func (c *Checkpoints) alive(ctx context.Context, owner string) (bool, error) {
	if !isOwner(owner) {
		return false, nil
	}
	// A renewal may remove the object between the listing and the reading.
	for range 3 {
		numbers, err := c.sequences(ctx, leasePrefix(owner))
		if err != nil || len(numbers) == 0 {
			return false, err
		}
		doc, err := readRenewal(ctx, c.bank, leasePrefix(owner)+sequence(numbers[len(numbers)-1]))
		if err != nil && karbor.KindOf(err) == karbor.NotFound {
			continue
		}
		if err != nil {
			return false, err
		}
		now, err := c.bank.Now(ctx)
		return err == nil && now.Before(doc.ExpiresAt), err
	}
	return false, karbor.Transientf("the lease of %s changes too fast to be read", owner)
}

// isOwner reports whether a text can be the owner of a lease.
func isOwner(s string) bool { return karbor.IsResourceID(s) && len(s) <= bank.MaxPart }
