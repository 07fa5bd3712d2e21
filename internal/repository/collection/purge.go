package collection

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/session"
)

// PurgeOptions of Purge.
type PurgeOptions struct {
	// Times are those of the collector's lease. Now is required.
	Times session.Options
	// Only is that of Options.
	Only bool
	// DryRun counts, and changes nothing.
	DryRun bool
	// Progress is told how many objects have gone; nil is nobody.
	Progress func(done int)
}

// Purged is what went, or would go.
type Purged struct {
	Objects int
	Bytes   int64
	// Locked is how many objects the bank does not let go yet: do it again when it does.
	Locked int
}

// Purge removes what a shredded domain holds: nobody can read it any more, and no collector can tell
// what of it is needed. The format document and the receipts stay, so that a stream that refers
// to the domain is known to be destroyed and not damaged. A domain without a receipt, with a slot, or in
// which somebody is at work is karbor.Conflict, and nothing goes. It may be broken off, and
// done again.
func Purge(ctx context.Context, b bank.Bank, domain string, o PurgeOptions) (Purged, error) {
	times, err := o.Times.Fill(b.Traits())
	if err != nil {
		return Purged{}, err
	}
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	p := &purge{bank: b, domain: domain, options: o, times: times, lease: newLease(b, domain, times)}
	if err := p.run(ctx); err != nil {
		return p.gone, fmt.Errorf("purging the key domain %s: %w", domain, err)
	}
	return p.gone, nil
}

type purge struct {
	bank    bank.Bank
	domain  string
	options PurgeOptions
	times   session.Options
	lease   *lease

	mu   sync.Mutex
	gone Purged
}

// purged are the folders of a domain that go, in order: what tells of packs goes before they do.
var purged = []string{"index/", "damaged/", "packs/", "pages/", "epochs/", "sessions/"}

func (p *purge) run(ctx context.Context) error {
	if !p.bank.Traits().AtomicCreate && !p.options.Only {
		return karbor.Errorf(karbor.NotImplemented, "on this bank two collectors could be at work: the operator must name the one process that collects")
	}
	if err := p.shredded(ctx); err != nil {
		return err
	}
	if p.options.DryRun {
		return p.folders(ctx, func(_ context.Context, i bank.Info) error { return p.count(i) })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := p.lease.acquire(ctx); err != nil {
		return err
	}
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		p.lease.run(ctx, cancel)
	}()
	// Where listings lag, a slot or a session may not have shown before.
	err := sleep(ctx, p.times.Settle)
	if err == nil {
		err = p.shredded(ctx)
	}
	if err == nil {
		err = p.folders(ctx, p.remove)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	<-renewing
	if releaseErr := p.lease.release(context.WithoutCancel(ctx), err == nil); err == nil {
		err = releaseErr
	}
	return err
}

// shredded makes sure that nobody can need what the domain holds.
func (p *purge) shredded(ctx context.Context) error {
	if _, err := p.bank.Stat(ctx, dedup.DocumentKey(p.domain)); err != nil {
		return err
	}
	slots, err := p.bank.List(ctx, dedup.SlotsPrefix(p.domain), "", 1)
	if err != nil {
		return err
	}
	if len(slots) > 0 {
		return karbor.Errorf(karbor.Conflict, "it has key slots: its data can be read")
	}
	receipts, err := p.bank.List(ctx, dedup.ReceiptsPrefix(p.domain), "", 1)
	if err != nil {
		return err
	}
	if len(receipts) == 0 {
		return karbor.Errorf(karbor.Conflict, "the bank has no receipt which says that its keys were destroyed on purpose")
	}
	now, err := p.bank.Now(ctx)
	if err != nil {
		return err
	}
	sessions, err := session.List(ctx, p.bank, p.domain)
	if err != nil {
		return err
	}
	for _, l := range sessions {
		r, err := l.Read(ctx, p.bank, p.domain)
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return err
		}
		if err != nil || now.Before(r.ExpiresAt.Add(p.times.Settle)) {
			return karbor.Errorf(karbor.Conflict, "somebody has a session in it; it ends within %v", p.times.Expire.Round(time.Second))
		}
	}
	return nil
}

func (p *purge) folders(ctx context.Context, do func(context.Context, bank.Info) error) error {
	for _, folder := range purged {
		prefix, marker := "v1/repositories/"+p.domain+"/"+folder, ""
		for {
			page, err := p.bank.List(ctx, prefix, marker, bank.MaxList)
			if err != nil {
				return err
			}
			group, within := errgroup.WithContext(ctx)
			group.SetLimit(sweepers)
			for _, i := range page {
				marker = i.Key
				group.Go(func() error { return do(within, i) })
			}
			if err := group.Wait(); err != nil {
				return err
			}
			if len(page) < bank.MaxList {
				break
			}
		}
	}
	return nil
}

func (p *purge) remove(ctx context.Context, i bank.Info) error {
	err := p.lease.while(ctx, func(ctx context.Context) error { return p.bank.Delete(ctx, i.Key) })
	if err != nil && karbor.KindOf(err) == karbor.Conflict && p.bank.Traits().ObjectLock {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone.Locked++
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", i.Key, err)
	}
	return p.count(i)
}

func (p *purge) count(i bank.Info) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone.Objects++
	p.gone.Bytes += i.Size
	p.options.Progress(p.gone.Objects)
	return nil
}
