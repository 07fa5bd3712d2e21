package repository

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/keyring"
)

const (
	// lookAgain is how long keys are used without looking whether their domain still has slots.
	lookAgain = time.Minute
	// bareTime is how long it is not believed that no slot is listed, where listings lag.
	bareTime = 10 * time.Minute
)

// known is a domain whose keys are in memory. Its Domains' lock guards it.
type known struct {
	opened *keyring.Opened
	// looked is when it was last looked whether anybody could still open it.
	looked time.Time
	// bare is since when no slot of it is listed; zero if one is.
	bare time.Time
}

// unlock gives the keys of a domain, from memory if they were there before.
func (d *Domains) unlock(ctx context.Context, domain string, create bool) (*keyring.Opened, error) {
	o, err := d.remembered(ctx, domain, create)
	if o != nil || err != nil {
		return o, err
	}
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	d.mu.Lock()
	making := d.making[domain]
	if making == nil {
		making = newGate()
		d.making[domain] = making
	}
	d.mu.Unlock()
	if err := making.lock(ctx); err != nil {
		return nil, err
	}
	defer making.unlock()
	d.mu.Lock()
	k, closed := d.keys[domain], d.closed
	if k != nil || closed {
		delete(d.making, domain)
	}
	d.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case k != nil:
		return k.opened, nil
	}
	o, err = d.look(ctx, domain, create)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.making, domain)
	if err != nil {
		return nil, err
	}
	if len(d.keys) >= maxKeys {
		clear(d.keys) // those in use come back soon
	}
	d.keys[domain] = &known{opened: o, looked: d.options.Now()}
	return o, nil
}

// remembered gives the keys of a domain that are in memory, or nil. Now and then it looks first
// whether they still count. Who only reads goes on with them when that can't be told.
func (d *Domains) remembered(ctx context.Context, domain string, write bool) (*keyring.Opened, error) {
	d.mu.Lock()
	k, now, due := d.keys[domain], d.options.Now(), false
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed
	}
	if k != nil && now.Sub(k.looked) >= lookAgain {
		due, k.looked = true, now // the others need not look meanwhile
	}
	d.mu.Unlock()
	if k == nil || !due {
		return k.keys(), nil
	}
	err := d.living(ctx, domain, k.opened)
	switch {
	case errors.Is(err, keyring.ErrReplaced):
		return nil, nil
	case err != nil && (write || isShredded(err)):
		return nil, err
	}
	return k.opened, nil
}

// keys gives the keys of a domain that may not be known.
func (k *known) keys() *keyring.Opened {
	if k == nil {
		return nil
	}
	return k.opened
}

// isShredded reports whether an error says that a domain has no slots, for good.
func isShredded(err error) bool {
	locked, is := errors.AsType[*keyring.LockedError](err)
	return is && !locked.Early
}

// living looks whether an opened domain is the one in the bank, and has slots: what would be
// written to it else could be read only as long as this process lives. Its keys are dropped from
// memory if not. See keyring.Ring.Living for the errors.
func (d *Domains) living(ctx context.Context, domain string, o *keyring.Opened) error {
	ring, err := keyring.New(d.options.Bank, domain)
	if err != nil {
		return err
	}
	err = ring.Living(ctx, o)
	locked, isLocked := errors.AsType[*keyring.LockedError](err)
	now := d.options.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.keys[domain]
	if k == nil || k.opened.Document.Repository != o.Document.Repository {
		return err
	}
	if err == nil {
		k.looked, k.bare = now, time.Time{}
		return nil
	}
	k.looked = time.Time{} // it is looked again at once
	if isLocked && locked.Early {
		if k.bare.IsZero() {
			k.bare = now
		}
		locked.Early = now.Sub(k.bare) < bareTime
	}
	if isLocked && !locked.Early || errors.Is(err, keyring.ErrReplaced) {
		delete(d.keys, domain)
	}
	return err
}

// look opens a domain in the bank, or makes it.
func (d *Domains) look(ctx context.Context, domain string, create bool) (*keyring.Opened, error) {
	ring, err := keyring.New(d.options.Bank, domain)
	if err != nil {
		return nil, err
	}
	sources := d.options.Keys
	if d.options.Recovery != nil {
		sources = append(slices.Clip(sources), d.options.Recovery)
	}
	for {
		o, err := ring.Open(ctx, sources)
		if err == nil || karbor.KindOf(err) != karbor.NotFound {
			return o, err
		}
		if !create {
			return nil, karbor.Errorf(karbor.Unavailable, "the bank has no key domain %s", domain)
		}
		o, err = ring.Create(ctx, sources)
		if err == nil {
			d.logger.InfoContext(ctx, "a key domain was made", "domain", domain, "repository", o.Document.Repository, "slots", len(sources))
			return o, nil
		}
		if karbor.KindOf(err) != karbor.Conflict {
			return nil, err
		}
		// Another one was faster.
	}
}

// bounded gives a context that ends with the Domains, too.
func (d *Domains) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.ctx, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
