package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/internal/repository/keyring"
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

	// opened is what it was opened with. It never changes.
	opened *keyring.Opened

	mu gate // locks what follows
	// gone says that it is not to be opened any more.
	gone    bool
	index   *index.Index
	reading *dedup.Domain
	// temporary is the folder of the index, if it goes with it; else "".
	temporary string
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

// use is Use. To write, it makes the domain if it may, and looks whether it still has slots.
func (d *Domains) use(ctx context.Context, name string, write bool) (*Use, error) {
	for again := false; ; again = true {
		opened, err := d.unlock(ctx, name, write)
		if err != nil {
			return nil, err
		}
		u, err := d.with(ctx, name, opened)
		if err == nil && !write {
			return u, nil
		}
		if err != nil && !isDamage(err) {
			return nil, err
		}
		// What does not open may be another domain by now.
		dead := d.living(ctx, name, opened)
		if err == nil && dead == nil {
			return u, nil
		}
		if err == nil {
			u.Done()
			err = dead
		}
		if again || !errors.Is(dead, keyring.ErrReplaced) {
			return nil, err
		}
	}
}

// with gives the use of a domain that was opened with these keys.
func (d *Domains) with(ctx context.Context, name string, opened *keyring.Opened) (*Use, error) {
	one, err := d.hold(ctx, name, opened)
	if err != nil {
		return nil, err
	}
	u := &Use{domain: one}
	if u.reading, err = one.ready(ctx); err != nil {
		u.Done()
		return nil, err
	}
	return u, nil
}

// hold gives the open domain, with a user more. One that was open and is not in the bank any more
// is closed first.
func (d *Domains) hold(ctx context.Context, name string, opened *keyring.Opened) (*domain, error) {
	for {
		d.mu.Lock()
		if d.closed {
			d.mu.Unlock()
			return nil, errClosed
		}
		if k := d.keys[name]; k != nil {
			opened = k.opened // the newest
		}
		one := d.open[name]
		if one == nil {
			one = &domain{owner: d, name: name, opened: opened, mu: newGate()}
			d.open[name] = one
		}
		if one.opened.Document.Repository == opened.Document.Repository {
			one.users++
			d.mu.Unlock()
			return one, nil
		}
		d.mu.Unlock()
		d.retire(ctx, one)
	}
}

// retire closes a domain under its users, whose calls fail. Who uses it next opens it anew.
func (d *Domains) retire(ctx context.Context, one *domain) {
	d.mu.Lock()
	if d.open[one.name] == one {
		delete(d.open, one.name)
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := one.close(ctx); err != nil {
		d.logger.WarnContext(ctx, "a key domain that is of no use any more was not closed cleanly", "domain", one.name, "error", err)
	}
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
	ctx, cancel := d.owner.bounded(ctx)
	defer cancel()
	if err := d.mu.lock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.unlock()
	if d.gone {
		return nil, errClosed
	}
	if d.reading != nil {
		return d.reading, nil
	}
	reading, err := d.read(ctx, false)
	if _, full := errors.AsType[*index.FolderError](err); full && d.owner.folder.path != "" {
		d.owner.logger.WarnContext(ctx, "the index cache can't be used: a temporary one is made", "domain", d.name, "error", err)
		reading, err = d.read(ctx, true)
	}
	d.reading = reading
	return reading, err
}

// read opens the index cache and brings it up to date. Its caller holds mu.
func (d *domain) read(ctx context.Context, temporary bool) (*dedup.Domain, error) {
	o := d.owner
	made := dedup.Options{Compression: o.options.Compression, NewIndex: func(id format.RepositoryID) (dedup.Index, error) {
		var err error
		d.index, d.temporary, err = o.folder.open(ctx, d.name, index.Options{Repository: id, Logger: o.logger}, temporary)
		return d.index, err
	}}
	reading, err := dedup.Open(ctx, o.options.Bank, d.name, d.opened.Master, made)
	if err == nil {
		err = d.load(ctx, reading)
	}
	if err != nil {
		d.drop(ctx)
		return nil, err
	}
	return reading, nil
}

// drop closes the index, and removes it if it is temporary. What is lost of a cache is read from
// the bank again: that is no error. Its caller holds mu.
func (d *domain) drop(ctx context.Context) {
	if d.index == nil {
		return
	}
	err := d.index.Close()
	if d.temporary != "" {
		err = errors.Join(err, os.RemoveAll(d.temporary))
	}
	if err != nil {
		d.owner.logger.WarnContext(ctx, "an index cache was not closed cleanly", "domain", d.name, "error", err)
	}
	d.index, d.reading, d.temporary = nil, nil, ""
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
	ctx, cancel := d.owner.bounded(ctx)
	defer cancel()
	if err := d.mu.lock(ctx); err != nil {
		return err
	}
	defer d.mu.unlock()
	if d.reading == nil {
		return errClosed
	}
	return d.load(ctx, d.reading)
}

// close ends the session and closes the cache, for good.
func (d *domain) close(ctx context.Context) error {
	if err := d.mu.lock(ctx); err != nil {
		return fmt.Errorf("closing the key domain %s, which is in use: %w", d.name, err)
	}
	defer d.mu.unlock()
	d.gone = true
	return d.closeLocked(ctx)
}

func (d *domain) closeLocked(ctx context.Context) error {
	if d.index == nil {
		return nil
	}
	err := d.end(ctx)
	d.drop(ctx)
	return err
}

// tidy removes what dead processes have left, and closes domains that nobody uses, until Close.
func (d *Domains) tidy() {
	if err := d.folder.sweep(d.options.Now()); err != nil {
		d.logger.Warn("old index caches were not removed", "error", err)
	}
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
		one.mu.unlock()
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
		if !one.mu.tryLock() {
			continue // it is being closed, or has a user in a moment
		}
		ready := one.reading != nil
		one.mu.unlock()
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
	if !oldest.mu.tryLock() {
		return nil
	}
	return oldest
}

// write begins a stream, in the session that all streams of the domain share.
func (d *domain) write(ctx context.Context) (*dedup.Writer, error) {
	if err := d.mu.lock(ctx); err != nil {
		return nil, err
	}
	err := d.begin(ctx)
	writing, distrust := d.writing, d.distrust
	d.mu.unlock()
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
	ctx, cancelled := o.bounded(ctx)
	defer cancelled()
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
