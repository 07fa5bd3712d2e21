package index

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// listings is how often Sync lists because what was listed went meanwhile. What the last
// listing shows and is not there has been replaced by something that it shows, too.
const listings = 3

// AddSegment implements dedup.SegmentIndex: it takes in a segment that this process has
// written.
func (x *Index) AddSegment(name format.Name, s *format.Segment) error {
	x.adding.Lock()
	defer x.adding.Unlock()
	return x.addSegment(name, s, false)
}

// addSegment takes in a segment. What only those named that it replaces goes. Its caller
// holds adding.
func (x *Index) addSegment(name format.Name, s *format.Segment, listed bool) error {
	x.mu.Lock()
	if _, known := x.state.segments[name]; known || x.usable() != nil {
		defer x.mu.Unlock()
		return x.usable()
	}
	number := x.state.nextSegment
	x.state.nextSegment++
	x.mu.Unlock()
	if err := x.take(s.Packs, number); err != nil {
		return fmt.Errorf("taking in the index segment %s: %w", name, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	gone := map[uint32]bool{}
	for _, replaced := range s.Replaces {
		if g, known := x.state.segments[replaced]; known && !g.superseded {
			gone[g.number] = true
		}
		x.state.segments[replaced] = segment{superseded: true, listed: true}
	}
	x.removeNamedBy(gone)
	x.state.segments[name] = segment{number: number, listed: listed}
	return nil
}

// removeNamedBy removes the packs that were last named by segments that are gone. Its caller
// holds mu.
func (x *Index) removeNamedBy(gone map[uint32]bool) {
	if len(gone) > 0 {
		x.state.packs.removeIf(func(p *pack) bool { return gone[p.segment] })
	}
}

// Sync implements dedup.SegmentIndex. A segment that is listed no more has been replaced:
// packs that none of the others names go with it, so that the cache knows what the bank's
// index tells, and no more. What Add took in meanwhile stays. All segments that were taken in
// are durable when Sync returns, unless the folder can't be written to: that is logged, as
// what is in memory answers as well.
func (x *Index) Sync(ctx context.Context, s dedup.Segments) (damaged []error, err error) {
	x.syncing.Lock()
	defer x.syncing.Unlock()
	if err := x.heal(); err != nil {
		return nil, &FolderError{Folder: x.options.Folder, Cause: fmt.Errorf("beginning anew: %w", err)}
	}
	for i := range listings {
		var again bool
		if damaged, again, err = x.sync(ctx, s, i == listings-1); err != nil || !again {
			break
		}
	}
	return damaged, err
}

// heal begins anew if files were found damaged.
func (x *Index) heal() error {
	x.adding.Lock()
	defer x.adding.Unlock()
	x.mu.RLock()
	broken, closed := x.broken != nil, x.closed
	x.mu.RUnlock()
	if !broken || closed {
		return nil
	}
	x.logger.Warn("the index cache is thrown away", "folder", x.options.Folder)
	return x.reset()
}

// sync lists once. again says that a segment was listed that is not there any more, unless it is
// the last time.
func (x *Index) sync(ctx context.Context, s dedup.Segments, last bool) (damaged []error, again bool, err error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, false, err
	}
	listed := make(map[format.Name]bool, len(names))
	for _, name := range names {
		listed[name] = true
	}
	changed := false
	for _, name := range names {
		if x.seen(name) {
			continue
		}
		g, err := s.Load(ctx, name)
		if _, bad := errors.AsType[*format.DamageError](err); bad {
			damaged = append(damaged, err)
			continue
		}
		if karbor.KindOf(err) == karbor.NotFound {
			again = !last
			continue
		}
		if err == nil {
			err = x.addListed(name, g)
		}
		if err != nil {
			return damaged, false, err
		}
		changed = true
	}
	if again {
		return damaged, true, nil
	}
	changed = x.forget(listed) || changed
	x.adding.Lock()
	defer x.adding.Unlock()
	if !changed && !x.unsaved && x.settled() {
		return damaged, false, nil
	}
	return damaged, false, x.keep(x.flush())
}

// keep logs the error of a write to the folder, and gives that of an index which is of no use
// any more. Its caller holds adding.
func (x *Index) keep(err error) error {
	x.unsaved = err != nil
	if err == nil {
		return nil
	}
	x.mu.RLock()
	useless := x.usable()
	x.mu.RUnlock()
	if useless == nil {
		x.logger.Warn("the index cache can't be written, and is kept in memory", "folder", x.options.Folder, "error", err)
	}
	return useless
}

func (x *Index) addListed(name format.Name, s *format.Segment) error {
	x.adding.Lock()
	defer x.adding.Unlock()
	return x.addSegment(name, s, true)
}

// seen reports whether a segment that was listed need not be read.
func (x *Index) seen(name format.Name) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	g, known := x.state.segments[name]
	if known && !g.listed {
		g.listed = true
		x.state.segments[name] = g
	}
	return known
}

// forget forgets the segments that are listed no more, and reports whether there were any.
// One of our own that was never listed may only be late.
func (x *Index) forget(listed map[format.Name]bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	gone, some := map[uint32]bool{}, false
	for name, g := range x.state.segments {
		if listed[name] || !g.listed {
			continue
		}
		delete(x.state.segments, name)
		some = true
		if !g.superseded {
			gone[g.number] = true
		}
	}
	x.removeNamedBy(gone)
	return some
}

// settled reports whether all segments that were taken in are durable.
func (x *Index) settled() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, g := range x.state.segments {
		if !g.durable {
			return false
		}
	}
	return true
}
