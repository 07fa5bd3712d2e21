package repository

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/internal/repository/session"
	"github.com/karbor/karbor/internal/repository/verification"
)

// domain is one that is open for reading, and for writing if it has a session.
type domain struct {
	owner *Domains
	name  string
	// users and used, the time when there last were any, are the owner's, under its lock.
	users int
	used  time.Time

	mu sync.Mutex
	// gone says that it is not to be opened any more.
	gone    bool
	index   *index.Index
	master  format.Key
	reading *dedup.Domain
	// These are there while the domain is written to.
	session  *session.Session
	writing  *dedup.Domain
	distrust *verification.Distrust
	stop     context.CancelFunc
	renewal  sync.WaitGroup
}

// Use is the use of an open domain, until Done.
type Use struct {
	domain  *domain
	reading *dedup.Domain
	once    sync.Once
}

// Use opens a domain for reading, or gives the one that is open. One that is not there, or that
// no key opens, is karbor.Unavailable. The caller calls Done.
func (d *Domains) Use(ctx context.Context, name string) (*Use, error) { return d.use(ctx, name, false) }

// use is Use, and makes the domain if it may.
func (d *Domains) use(ctx context.Context, name string, create bool) (*Use, error) {
	opened, err := d.unlock(ctx, name, create)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed
	}
	one := d.open[name]
	if one == nil {
		one = &domain{owner: d, name: name, master: opened.Master}
		d.open[name] = one
	}
	one.users++
	d.mu.Unlock()
	u := &Use{domain: one}
	if u.reading, err = one.ready(ctx); err != nil {
		u.Done()
		return nil, err
	}
	return u, nil
}

// Done ends the use. Further calls do nothing.
func (u *Use) Done() {
	u.once.Do(func() {
		d := u.domain.owner
		d.mu.Lock()
		defer d.mu.Unlock()
		u.domain.users--
		u.domain.used = d.options.Now()
	})
}

// Domain gives the domain for reading.
func (u *Use) Domain() *dedup.Domain { return u.reading }

// Refresh takes into the index what other processes have written since.
func (u *Use) Refresh(ctx context.Context) error { return u.domain.refresh(ctx) }

// ready opens the index cache, if it is not open, and brings it up to date.
func (d *domain) ready(ctx context.Context) (*dedup.Domain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return nil, errClosed
	}
	if d.reading != nil {
		return d.reading, nil
	}
	o := d.owner
	made := dedup.Options{Compression: o.options.Compression, NewIndex: func(id format.RepositoryID) (dedup.Index, error) {
		x, err := o.folder.open(ctx, d.name, index.Options{Repository: id, Logger: o.logger})
		d.index = x
		return x, err
	}}
	reading, err := dedup.Open(ctx, o.options.Bank, d.name, d.master, made)
	if err == nil {
		err = d.load(ctx, reading)
	}
	if err != nil {
		if d.index != nil {
			err = errors.Join(err, d.index.Close())
			d.index = nil
		}
		return nil, err
	}
	d.reading = reading
	return reading, nil
}

// load brings the index up to date. Segments that are damaged cost space and time, no data.
func (d *domain) load(ctx context.Context, in *dedup.Domain) error {
	damaged, err := in.LoadIndex(ctx)
	for _, one := range damaged {
		d.owner.logger.WarnContext(ctx, "a part of a repository's index is damaged, and left out", "domain", d.name, "error", one)
	}
	if err != nil {
		return fmt.Errorf("reading the index of the key domain %s: %w", d.name, err)
	}
	return nil
}

func (d *domain) refresh(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reading == nil {
		return errClosed
	}
	return d.load(ctx, d.reading)
}

// close ends the session and closes the cache, for good.
func (d *domain) close(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	return d.closeLocked(ctx)
}

func (d *domain) closeLocked(ctx context.Context) error {
	if d.index == nil {
		return nil
	}
	err := errors.Join(d.end(ctx), d.index.Close())
	d.index, d.reading = nil, nil
	return err
}

// tidy closes domains that nobody uses, until Close.
func (d *Domains) tidy() {
	ticker := time.NewTicker(idle / 4)
	defer ticker.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-ticker.C:
			d.closeIdle()
		}
	}
}

// closeIdle closes the domains that nobody has used for a while, and the longest unused ones
// beyond those that may stay open.
func (d *Domains) closeIdle() {
	for one := d.unused(); one != nil; one = d.unused() {
		// Who opens it again meanwhile waits until its cache is free.
		ctx, cancel := context.WithTimeout(d.ctx, closeTime)
		if err := one.closeLocked(ctx); err != nil {
			d.logger.WarnContext(ctx, "a key domain was not closed cleanly", "domain", one.name, "error", err)
		}
		cancel()
		one.mu.Unlock()
	}
}

// unused gives a domain that is to be closed, locked, or nil.
func (d *Domains) unused() *domain {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest *domain
	open := 0
	for name, one := range d.open {
		if one.users > 0 {
			continue
		}
		one.mu.Lock() // nobody holds it for long: there are no users
		ready := one.reading != nil
		one.mu.Unlock()
		if !ready {
			delete(d.open, name)
			continue
		}
		if open++; oldest == nil || one.used.Before(oldest.used) {
			oldest = one
		}
	}
	if oldest == nil || open <= maxOpen && d.options.Now().Sub(oldest.used) < idle {
		return nil
	}
	oldest.mu.Lock()
	return oldest
}

// write begins a stream, in the session that all streams of the domain share.
func (d *domain) write(ctx context.Context) (*dedup.Writer, error) {
	d.mu.Lock()
	err := d.begin(ctx)
	writing, distrust := d.writing, d.distrust
	d.mu.Unlock()
	if err == nil {
		// What a verification has found damaged since is stored again.
		err = distrust.Load(ctx, d.owner.options.Bank, d.name)
	}
	if err != nil {
		return nil, err
	}
	return writing.Writer(ctx)
}

// begin opens the session, if there is none. Its caller holds mu.
func (d *domain) begin(ctx context.Context) error {
	if d.reading == nil {
		return errClosed
	}
	if d.writing != nil {
		return nil
	}
	o := d.owner
	s, err := session.Open(ctx, o.options.Bank, d.name, session.Options{Now: o.options.Now})
	if err != nil {
		return err
	}
	// The index is read anew, now that the collector sees the session.
	distrust := verification.NewDistrust(s)
	writing, err := d.reading.In(ctx, distrust)
	if err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	renewing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.session, d.writing, d.distrust, d.stop = s, writing, distrust, cancel
	d.renewal.Go(func() {
		// It ends without an error when it is told to.
		_ = s.Run(renewing, func(err error) {
			o.logger.Warn("a writer's session can't be renewed; it is tried again", "domain", d.name, "error", err)
		})
	})
	return nil
}

// end ends the session, if there is one. Its caller holds mu.
func (d *domain) end(ctx context.Context) error {
	if d.session == nil {
		return nil
	}
	d.stop()
	d.renewal.Wait()
	err := d.session.Close(ctx)
	d.session, d.writing, d.distrust, d.stop = nil, nil, nil, nil
	return err
}
