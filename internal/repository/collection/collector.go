package collection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// Options of New.
type Options struct {
	// Times are those of the collector's lease, and of the sessions. Now is required.
	Times session.Options
	// Only says that the operator has named this process as the only one that collects
	// in the domain. A bank of which racing creates can both win is not collected
	// without.
	Only bool
	// OwnProject says that the domain is that of the project with its name: only that
	// project's checkpoints are looked at. Without it, those of all projects are,
	// which is right for every domain.
	OwnProject bool
	// Force are keys of manifests. What of these can't be read does not stop the
	// collection: what only they refer to may go.
	Force []string
	// MinAge leaves packs alone that are younger: those that writers are storing just
	// now need not be told from garbage then.
	MinAge time.Duration
	// NoCompaction leaves packs alone of which anything is reached.
	NoCompaction bool
	// MaxRewrite is about how many bytes the compaction of one collection writes; 0 is
	// no limit.
	MaxRewrite int64
	// BytesPerSecond is how much is read to mark and to compact; 0 is no limit.
	BytesPerSecond int64
	// MaxCondemned is how many packs one collection frees at most; 0 is 65,536, about 2 TiB.
	MaxCondemned int
	// DryRun only marks, and tells what would go. It needs no lease and changes nothing.
	DryRun bool
	// Without are the beginnings of keys: a dry run tells what would go if there were no
	// manifests below them.
	Without []string
	// Logger is told of what is left for later; nil is nobody.
	Logger *slog.Logger
}

// Phase is a part of a collection.
type Phase string

// The phases, in their order.
const (
	Listing      Phase = "listing"
	Marking      Phase = "marking"
	Compacting   Phase = "compacting"
	Waiting      Phase = "waiting"
	MarkingAgain Phase = "marking again"
	Sweeping     Phase = "sweeping"
	Indexing     Phase = "indexing"
)

// Progress tells how far a collection is.
type Progress struct {
	Phase Phase
	// Done is how many streams (marking), packs (compacting, sweeping) or sessions
	// (waiting) are done, of Total; 0 if that is not known.
	Done, Total int
}

// Collector collects in one domain.
type Collector struct {
	domain  *dedup.Domain
	bank    bank.Bank
	options Options
	forced  map[string]struct{}
	lease   *lease
	working sync.Mutex
	pace    *rate.Limiter // nil is no limit
}

const maxCondemned = 65_536

// New makes a collector of a domain. The domain has a session, or there is no compaction.
func New(d *dedup.Domain, o Options) (*Collector, error) {
	times, err := o.Times.Fill(d.Bank().Traits())
	if err != nil {
		return nil, err
	}
	o.Times = times
	if len(o.Without) > 0 && !o.DryRun {
		return nil, karbor.Errorf(karbor.Internal, "what still is there is left out of a dry run only")
	}
	if o.MaxCondemned <= 0 {
		o.MaxCondemned = maxCondemned
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{domain: d, bank: d.Bank(), options: o, forced: map[string]struct{}{}}
	for _, key := range o.Force {
		c.forced[key] = struct{}{}
	}
	if o.BytesPerSecond > 0 {
		c.pace = rate.NewLimiter(rate.Limit(o.BytesPerSecond), int(min(o.BytesPerSecond, format.MaxGroup)))
	}
	c.lease = newLease(c.bank, d.Name(), times)
	return c, nil
}

// Collect collects once. progress may be nil; it is called by one goroutine at a time.
//
// It fails with karbor.Conflict when another collector is at work, with
// karbor.NotImplemented on a bank where that can't be known, and with a *DamageError before
// anything is condemned when something can't be read; the Result then tells what. Whatever
// breaks it off, the next collection goes on. A transient error also says that a
// session does not tell that it knows the epoch: nothing is deleted then.
func (c *Collector) Collect(ctx context.Context, progress func(Progress)) (Result, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	w := &work{Collector: c, progress: progress, result: Result{Domain: c.domain.Name()}}
	if c.options.DryRun {
		err := w.survey(ctx)
		return w.result, c.wrap(err)
	}
	err := w.leased(ctx, w.collect)
	return w.result, c.wrap(err)
}

// Mend looks at the newest epoch, and puts another one in its place if it is damaged. Collect
// does that, too; but as long as it is damaged, no session can be opened.
func (c *Collector) Mend(ctx context.Context) error {
	w := &work{Collector: c, progress: func(Progress) {}, result: Result{Domain: c.domain.Name()}}
	return c.wrap(w.leased(ctx, w.begin))
}

// leased does something with the collector's lease.
func (w *work) leased(ctx context.Context, do func(context.Context) error) error {
	c := w.Collector
	if !c.bank.Traits().AtomicCreate && !c.options.Only {
		return karbor.Errorf(karbor.NotImplemented,
			"on this bank two processes can both create the same object, so that two collectors could be at work: the operator must name the one process that collects")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !c.working.TryLock() {
		return karbor.Errorf(karbor.Conflict, "this collector is at work")
	}
	defer c.working.Unlock()
	if err := c.lease.acquire(ctx); err != nil {
		return err
	}
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		c.lease.run(ctx, cancel)
	}()
	err := do(ctx)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	<-renewing
	done := err == nil || !w.changed && !c.lease.unclean()
	if releaseErr := c.lease.release(context.WithoutCancel(ctx), done); releaseErr != nil {
		c.options.Logger.Warn("the collector's lease could not be given up", "domain", c.domain.Name(), "error", releaseErr)
	}
	return err
}

func (c *Collector) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("collecting in the repository of %s: %w", c.domain.Name(), err)
}

// work is one collection.
type work struct {
	*Collector
	progress func(Progress)
	result   Result
	marks    *marks
	// previous is the newest epoch at the begin; nil is none.
	previous *session.Epoch
	// changed says that the index and the epochs may be in between.
	changed bool
}

// survey marks, and tells what is garbage.
func (w *work) survey(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.mark(ctx, Marking); err != nil {
		return err
	}
	if err := w.askLocks(ctx); err != nil {
		return err
	}
	w.result.Reached = w.marks.stored()
	w.candidates()
	condemned, left := w.condemn()
	w.result.Condemned, w.result.Left = len(condemned), left
	for _, name := range condemned {
		w.result.Freed += w.marks.packs[name].size
	}
	if len(w.options.Without) == 0 {
		return nil
	}
	// On top of what stays, only what goes is walked through, and of that only what it does not share.
	if err := w.markBelow(ctx, Marking, w.options.Without, nil); err != nil {
		return err
	}
	w.result.Freeable = w.marks.stored() - w.result.Reached
	return nil
}

// collect is the collector's rules in order.
func (w *work) collect(ctx context.Context) (err error) {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.mark(ctx, Marking); err != nil {
		return err
	}
	if err := w.askLocks(ctx); err != nil {
		return err
	}
	refs, err := w.compact(ctx)
	if refs != nil {
		defer func() { refs.End(err == nil) }()
	}
	if err != nil {
		return err
	}
	condemned, left := w.condemn()
	w.result.Condemned, w.result.Left = len(condemned), left
	if len(condemned) == 0 {
		return w.merge(ctx, nil)
	}
	epoch, err := w.publish(ctx, condemned)
	if err != nil {
		return err
	}
	keeps, dead, err := w.wait(ctx, epoch)
	if err != nil {
		return err
	}
	// What sessions keep is known: only now.
	if err := w.mark(ctx, MarkingAgain); err != nil {
		return err
	}
	if err := w.sweep(ctx, condemned, keeps, epoch); err != nil {
		return err
	}
	if err := w.merge(ctx, epoch.Condemned); err != nil {
		return err
	}
	return w.tidy(ctx, epoch, dead)
}

// begin looks at what is there. A collection that was broken off may have left an index that
// tells of packs that are gone: it is cleaned before another epoch forgets them.
func (w *work) begin(ctx context.Context) error {
	w.progress(Progress{Phase: Listing})
	var err error
	if w.result.began, err = w.bank.Now(ctx); err != nil {
		return err
	}
	epochs, _, err := session.NewestEpoch(ctx, w.bank, w.domain.Name(), 0)
	if damaged, ok := errors.AsType[*session.DamagedEpochError](err); ok {
		epochs, err = w.replace(ctx, damaged)
	}
	if err != nil {
		return err
	}
	if len(epochs) > 0 {
		w.previous = epochs[len(epochs)-1]
		w.result.Epoch = w.previous.Number
		if !w.options.DryRun {
			if err := w.settled(ctx, w.previous.CreatedAt); err != nil {
				return err
			}
		}
	}
	if _, err := w.domain.LoadIndex(ctx); err != nil {
		return err
	}
	w.marks = newMarks(w.Collector)
	if err := w.marks.list(ctx, w.previous); err != nil {
		return err
	}
	w.result.Packs, w.result.Bytes = w.marks.listed()
	if w.options.DryRun || !w.lease.unclean() {
		return nil
	}
	return w.rewrite(ctx, w.marks.absent)
}

// throttle waits until so many bytes more may be read.
func (c *Collector) throttle(ctx context.Context, n int) error {
	for ; c.pace != nil && n > 0; n -= c.pace.Burst() {
		if err := c.pace.WaitN(ctx, min(n, c.pace.Burst())); err != nil {
			return fmt.Errorf("waiting for the share of the bank: %w", err)
		}
	}
	return nil
}

// settled waits until listings show what was there at a time of the bank.
func (w *work) settled(ctx context.Context, at time.Time) error {
	if w.options.Times.Settle == 0 {
		return nil
	}
	now, err := w.bank.Now(ctx)
	if err != nil {
		return err
	}
	return sleep(ctx, min(at.Add(w.options.Times.Settle).Sub(now), w.options.Times.Settle))
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
