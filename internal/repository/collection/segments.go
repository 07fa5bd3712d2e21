package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// segmentTarget is how many bytes of directories make an index segment full.
	segmentTarget = 16 << 20
	// fewSegments are not worth the trouble of merging them.
	fewSegments = 16
)

// directorySize is about how many bytes the directory of a pack has.
func directorySize(p *format.Pack) int {
	n := 4
	for i := range p.Groups {
		n += 12 + 36*len(p.Groups[i].Chunks)
	}
	return n
}

// segmentSize is about how many bytes a segment has.
func segmentSize(s *format.Segment) int {
	n := 0
	for i := range s.Packs {
		n += directorySize(&s.Packs[i])
	}
	return n
}

// merge makes the index forget packs, and joins its small segments if they are many.
func (w *work) merge(ctx context.Context, gone map[format.Name]struct{}) error {
	w.progress(Progress{Phase: Indexing})
	if len(gone) > 0 {
		return w.rewrite(ctx, gone)
	}
	names, err := w.domain.Segments().List(ctx)
	if err != nil || len(names) < fewSegments {
		return err
	}
	return w.rewrite(ctx, gone)
}

// rewriting puts segments together.
type rewriting struct {
	*work
	gone map[format.Name]struct{}
	// seen are the packs that the segment to be written tells of.
	seen map[format.Name]struct{}
	now  format.Segment
	size int
	// replaced may be removed.
	replaced []format.Name
}

// rewrite writes segments in place of those that tell of packs that are gone, or are small and
// many; and removes those that were replaced before.
func (w *work) rewrite(ctx context.Context, gone map[format.Name]struct{}) error {
	names, err := w.domain.Segments().List(ctx)
	if err != nil {
		return err
	}
	w.changed = true
	r := &rewriting{work: w, gone: gone, seen: map[format.Name]struct{}{}}
	chosen, err := r.choose(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		s, err := r.load(ctx, name)
		if err == nil && s != nil {
			err = r.take(ctx, name, s)
		}
		if err != nil {
			return err
		}
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	return r.remove(ctx)
}

// load reads a segment; it gives nil for one that is refused or gone.
func (r *rewriting) load(ctx context.Context, name format.Name) (*format.Segment, error) {
	s, err := r.domain.Segments().Load(ctx, name)
	if _, damaged := errors.AsType[*format.DamageError](err); damaged || karbor.KindOf(err) == karbor.NotFound {
		r.options.Logger.Warn("an index segment is left out", "segment", name.String(), "error", err)
		return nil, nil
	}
	return s, err
}

// choose gives the segments that are to be rewritten, in order.
func (r *rewriting) choose(ctx context.Context, names []format.Name) (chosen []format.Name, err error) {
	listed, replaced := map[format.Name]struct{}{}, map[format.Name]struct{}{}
	affected, small := map[format.Name]struct{}{}, map[format.Name]struct{}{}
	for _, name := range names {
		s, err := r.load(ctx, name)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		if err := r.throttle(ctx, segmentSize(s)); err != nil {
			return nil, err
		}
		listed[name] = struct{}{}
		for _, old := range s.Replaces {
			replaced[old] = struct{}{}
		}
		size := segmentSize(s)
		for i := range s.Packs {
			if _, gone := r.gone[s.Packs[i].Name]; gone {
				affected[name] = struct{}{}
			}
		}
		if size < segmentTarget/2 {
			small[name] = struct{}{}
		}
	}
	for _, name := range names {
		_, isListed := listed[name]
		_, isReplaced := replaced[name]
		_, isAffected := affected[name]
		_, isSmall := small[name]
		switch {
		case !isListed:
		case isReplaced:
			r.replaced = append(r.replaced, name)
		case isAffected || isSmall && len(small) >= fewSegments:
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// take takes in a segment.
func (r *rewriting) take(ctx context.Context, name format.Name, s *format.Segment) error {
	size := segmentSize(s)
	if r.size > 0 && r.size+size > segmentTarget {
		if err := r.write(ctx); err != nil {
			return err
		}
	}
	r.now.Replaces = append(r.now.Replaces, name)
	for i := range s.Packs {
		p := &s.Packs[i]
		_, gone := r.gone[p.Name]
		if _, twice := r.seen[p.Name]; gone || twice {
			continue
		}
		r.seen[p.Name] = struct{}{}
		r.now.Packs = append(r.now.Packs, *p)
		r.size += directorySize(p)
	}
	return nil
}

// write writes what was taken in.
func (r *rewriting) write(ctx context.Context) error {
	if len(r.now.Packs) > 0 {
		err := r.lease.while(ctx, func(ctx context.Context) error {
			_, _, err := r.domain.WriteSegment(ctx, &r.now)
			return err
		})
		if err != nil {
			return fmt.Errorf("writing the index: %w", err)
		}
		r.result.NewSegments++
	}
	r.replaced = append(r.replaced, r.now.Replaces...)
	r.now, r.size = format.Segment{}, 0
	clear(r.seen)
	return nil
}

// remove removes what was replaced, when listings show what replaces it.
func (r *rewriting) remove(ctx context.Context) error {
	if len(r.replaced) == 0 {
		return nil
	}
	if err := sleep(ctx, r.options.Times.Settle); err != nil {
		return err
	}
	for _, name := range r.replaced {
		err := r.lease.while(ctx, func(ctx context.Context) error {
			return r.bank.Delete(ctx, dedup.SegmentsPrefix(r.domain.Name())+name.String())
		})
		if err != nil {
			return fmt.Errorf("removing a part of the index: %w", err)
		}
		r.result.Segments++
	}
	// This process's index must not tell of them either.
	_, err := r.domain.LoadIndex(ctx)
	return err
}
