package index

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

var _ dedup.SessionIndex = (*Index)(nil)

// Places implements dedup.Index. It looks into all runs, so that it costs more than Find.
func (x *Index) Places(kind format.Kind, id format.ID) ([]dedup.Location, error) {
	x.files.RLock()
	defer x.files.RUnlock()
	type found struct {
		number uint32
		place  dedup.Location
	}
	var all []found
	collect := func(e *entry) bool {
		if p := x.state.packs.get(e.pack); p != nil && p.kind == kind {
			all = append(all, found{e.pack, e.location(p.name)})
		}
		return false // go on
	}
	x.mu.RLock()
	if err := x.usable(); err != nil {
		x.mu.RUnlock()
		return nil, err
	}
	x.memory.find(&id, collect)
	runs := x.runs
	x.mu.RUnlock()
	for _, r := range slices.Backward(runs) {
		_, _, err := r.find(&id, func(e *entry) bool {
			x.mu.RLock()
			defer x.mu.RUnlock()
			return collect(e)
		})
		if err != nil {
			x.breakDown(err, r)
			return nil, fmt.Errorf("looking up %s: %w", id, err)
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.number, a.number) })
	out := make([]dedup.Location, len(all))
	for i := range all {
		out[i] = all[i].place
	}
	return out, nil
}

// Holds implements dedup.Index.
func (x *Index) Holds(name format.Name) (bool, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.packs.named(name) != nil, x.usable()
}

// ForgetUnnamed implements dedup.SessionIndex. It need not be durable: Open forgets them,
// too.
func (x *Index) ForgetUnnamed() error {
	x.adding.Lock()
	defer x.adding.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return errClosed
	}
	x.forgetUnnamed()
	for name, g := range x.state.segments {
		g.listed = true
		x.state.segments[name] = g
	}
	return nil
}
