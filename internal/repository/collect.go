package repository

import (
	"context"
	"errors"

	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/session"
)

// Collect frees the space of a domain that no stream refers to any more. Compaction writes in
// the session that this process's writers have in the domain, or in one of its own. A dry run
// opens none, and changes nothing. See collection.Collector.
func (d *Domains) Collect(ctx context.Context, domain string, o collection.Options, progress func(collection.Progress)) (collection.Result, error) {
	u, err := d.Use(ctx, domain)
	if err != nil {
		return collection.Result{Domain: domain}, err
	}
	defer u.Done()
	if o.Logger == nil {
		o.Logger = d.logger
	}
	if o.Times.Now == nil {
		o.Times.Now = d.options.Now
	}
	in := u.Domain()
	if !o.DryRun {
		var own *session.Session
		in, own, err = u.domain.guarded(ctx)
		if _, damaged := errors.AsType[*session.DamagedEpochError](err); damaged {
			// No session can be opened before another one is in its place.
			if err = mend(ctx, u.Domain(), o); err == nil {
				in, own, err = u.domain.guarded(ctx)
			}
		}
		if err != nil {
			return collection.Result{Domain: domain}, err
		}
		progress = renewing(ctx, own, progress)
	}
	c, err := collection.New(in, o)
	if err != nil {
		return collection.Result{Domain: domain}, err
	}
	r, err := c.Collect(ctx, progress)
	if !o.DryRun {
		// Packs have gone, and new ones may hold what they held.
		err = errors.Join(err, u.Refresh(context.WithoutCancel(ctx)))
	}
	return r, err
}

// mend puts another epoch in the place of the newest one, which is damaged.
func mend(ctx context.Context, in *dedup.Domain, o collection.Options) error {
	c, err := collection.New(in, o)
	if err != nil {
		return err
	}
	return c.Mend(ctx)
}

// renewing has this process's own session tell the epoch as soon as the collector waits for
// that, and not at its next renewal.
func renewing(ctx context.Context, own *session.Session, progress func(collection.Progress)) func(collection.Progress) {
	told := false
	return func(p collection.Progress) {
		if p.Phase == collection.Waiting && !told {
			// One that fails is tried again by the session itself.
			told = own.Renew(ctx) == nil
		}
		if progress != nil {
			progress(p)
		}
	}
}

// guarded gives the domain in its session, which is opened if there is none.
func (d *domain) guarded(ctx context.Context) (*dedup.Domain, *session.Session, error) {
	if err := d.mu.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer d.mu.unlock()
	err := d.begin(ctx)
	if err == nil {
		err = d.distrust.Load(ctx, d.owner.options.Bank, d.name)
	}
	if err != nil {
		return nil, nil, err
	}
	return d.writing, d.session, nil
}
