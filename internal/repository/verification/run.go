package verification

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// rounds is how often the recipes are walked through at most: what was moved while they
// were, by compaction or by a repair, is found where it is now.
const rounds = 8

// source calls a function with each stream that is verified.
type source func(ctx context.Context, fn func(Stream) error) error

// Streams verifies streams: their manifests and recipes, and all packs that these lead to.
// An error is of the bank, or ctx's; what was done until then is in Options.State. The
// domain's index must have been loaded.
func Streams(ctx context.Context, d *dedup.Domain, streams []Stream, o Options) (*Result, error) {
	r, err := newRun(d.Bank(), d.Name(), d, o)
	if err != nil {
		return nil, err
	}
	return r.verify(ctx, func(_ context.Context, fn func(Stream) error) error {
		for _, s := range streams {
			if err := fn(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// Domain verifies all that a key domain holds: its streams, in the checkpoints of one
// project or of all if project is "", its index, and each pack, referred to or not. Writers
// and the collector may be at work meanwhile. See Streams.
func Domain(ctx context.Context, d *dedup.Domain, project string, o Options) (*Result, error) {
	r, err := newRun(d.Bank(), d.Name(), d, o)
	if err != nil {
		return nil, err
	}
	return r.whole(ctx, project)
}

// whole verifies a whole domain.
func (r *run) whole(ctx context.Context, project string) (*Result, error) {
	r.moving = true
	if err := r.list(ctx); err != nil {
		return nil, err
	}
	if err := r.segments(ctx); err != nil {
		return nil, err
	}
	return r.verify(ctx, func(ctx context.Context, fn func(Stream) error) error {
		return FindStreams(ctx, r.bank, r.name, project, fn)
	})
}

// Keyless verifies all packs and index segments of a domain at the depth Stored, without
// its key. It can't tell which streams damage hurts.
func Keyless(ctx context.Context, b bank.Bank, domain string, o Options) (*Result, error) {
	o.Depth = Stored
	r, err := newRun(b, domain, nil, o)
	if err != nil {
		return nil, err
	}
	r.moving = true
	if err := r.list(ctx); err != nil {
		return nil, err
	}
	if err := r.segmentNames(ctx); err != nil {
		return nil, err
	}
	if err := r.packs(ctx, r.listed); err != nil {
		return nil, err
	}
	return r.end(nil), nil
}

// run is one run.
type run struct {
	bank   bank.Bank
	name   string
	domain *dedup.Domain // nil without a key
	// options are filled; limiter throttles, or is nil.
	options Options
	limiter *rate.Limiter
	// moving says that streams and packs may go while the run goes on.
	moving bool
	// listed are the packs of the domain, with their sizes, where all are verified.
	listed map[packID]int64
	lies   []lie

	mu     sync.Mutex // guards what follows
	result Result
	// looked are the packs that were looked at; true says that their bytes were, and are
	// whole. last is the last walk.
	looked   map[packID]bool
	last     *walk
	damaged  map[packID]*Damage
	progress Progress
}

func newRun(b bank.Bank, name string, d *dedup.Domain, o Options) (*run, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	return &run{
		bank: b, name: name, domain: d, options: o, limiter: o.limiter(),
		result: Result{Depth: o.Depth, State: o.State}, looked: map[packID]bool{}, damaged: map[packID]*Damage{},
	}, nil
}

// verify walks through the recipes and looks at the packs, until nothing new is found.
func (r *run) verify(ctx context.Context, all source) (*Result, error) {
	for round := 0; ; round++ {
		w, err := r.newWalk()
		if err != nil {
			return nil, err
		}
		err = all(ctx, func(s Stream) error { return w.stream(ctx, s) })
		w.reader.close()
		if err != nil {
			return nil, err
		}
		todo := r.todo(w.reached)
		if err := r.packs(ctx, todo); err != nil {
			return nil, err
		}
		again := len(r.bad()) > len(w.damaged) || round == 0 && len(w.hurt) > 0
		if !again || round == rounds-1 {
			return r.end(w), nil
		}
		// It may only have been moved.
		if _, err := r.domain.LoadIndex(ctx); err != nil {
			return nil, fmt.Errorf("verifying: %w", err)
		}
	}
}

// todo are the packs to look at, with where the last group ends that is needed.
func (r *run) todo(reached map[packID]int64) map[packID]int64 {
	out := make(map[packID]int64, len(reached)+len(r.listed))
	for p := range r.listed {
		out[p] = 0
	}
	maps.Copy(out, reached)
	return out
}

// bad gives the packs known to be damaged, and whether they are not there.
func (r *run) bad() map[packID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[packID]bool, len(r.damaged))
	for p, d := range r.damaged {
		out[p] = d.Missing
	}
	return out
}

// packs looks at packs that were not looked at yet.
func (r *run) packs(ctx context.Context, todo map[packID]int64) error {
	order := make([]packID, 0, len(todo))
	r.mu.Lock()
	for p, end := range todo {
		if _, done := r.looked[p]; !done {
			order = append(order, p)
			r.progress.Total += max(end, r.listed[p])
		}
	}
	r.progress.OfPacks += len(order)
	r.mu.Unlock()
	slices.SortFunc(order, packID.compare)
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan packID)
	group.Go(func() error {
		defer close(next)
		for _, p := range order {
			select {
			case next <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range min(r.options.Workers, len(order)) {
		group.Go(func() error { return r.work(ctx, next, todo) })
	}
	return group.Wait()
}

// work looks at packs until there are no more.
func (r *run) work(ctx context.Context, next <-chan packID, todo map[packID]int64) error {
	var keys *format.Keys
	if r.domain != nil {
		keys = r.domain.Keys()
	}
	c, err := newChecker(r.bank, r.name, keys, r.limiter)
	if err != nil {
		return err
	}
	defer c.close()
	o := &r.options
	for p := range next {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		depth, known := o.Depth, o.State.Good(p.kind, p.name, o.Depth, o.Since)
		if known {
			depth = Quick // it may have gone since
		} else if !o.Until.IsZero() && !o.Now().Before(o.Until) {
			r.mu.Lock()
			r.result.Left++
			r.mu.Unlock()
			continue
		}
		size, found, err := c.pack(ctx, p, depth, todo[p])
		if err != nil {
			return err
		}
		r.note(p, known, size, max(todo[p], r.listed[p]), found)
	}
	return nil
}

// note takes in what was found of a pack.
func (r *run) note(p packID, known bool, size, planned int64, found *Damage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked[p] = found == nil && !known && r.options.Depth != Quick
	switch {
	case found != nil:
		r.damaged[p] = found
		r.options.State.forget(p)
	case !known:
		r.options.State.found(p, r.options.Depth, r.options.Now())
	}
	if known {
		r.result.Known++
	} else {
		r.result.Packs++
		r.result.Bytes += size
	}
	r.progress.Done += planned
	r.progress.Packs++
	if r.options.Progress != nil {
		r.options.Progress(r.progress)
	}
}

// end gives the result. w is the last walk, or nil.
func (r *run) end(w *walk) *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = w
	for p, d := range r.damaged {
		if w != nil {
			_, d.Needed = w.reached[p]
			// Behind a page that is lost there may be anything.
			d.Needed = d.Needed || w.blind
		}
		// One that is not there and not reached was garbage, or is somewhere else now.
		if w != nil && w.misses(p) || !d.Missing {
			r.result.Damaged = append(r.result.Damaged, *d)
		}
	}
	for _, l := range r.lies {
		if r.damaged[l.pack] == nil {
			r.result.Damaged = append(r.result.Damaged, Damage{Key: dedup.SegmentsPrefix(r.name) + l.segment.String(), Why: l.why})
		}
	}
	if w != nil {
		r.result.Hurt, r.result.Streams = w.hurt, w.streams
	}
	r.result.sort()
	return &r.result
}
