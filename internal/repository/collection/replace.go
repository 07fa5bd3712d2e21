package collection

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/session"
)

// replace puts an epoch in the place of the newest one, which is damaged. As nobody knows what that
// one condemned, the new one condemns nothing that is there, and calls gone all that the
// index tells of and is not. Sessions that know the damaged one read the index again before they
// refer to what it condemned. It gives the epochs that are there then, of which only the last counts.
func (w *work) replace(ctx context.Context, damaged *session.DamagedEpochError) ([]*session.Epoch, error) {
	w.options.Logger.Warn("the newest epoch is damaged", "domain", w.domain.Name(), "key", damaged.Key, "error", damaged.Err)
	if w.options.DryRun {
		return nil, nil // nobody needs to know what it condemned, if nothing is condemned
	}
	// Listings must show what the last collector has done, whose lease has ended.
	if err := sleep(ctx, w.options.Times.Settle); err != nil {
		return nil, err
	}
	var before *session.Epoch
	if n := len(damaged.Before); n > 0 {
		before = damaged.Before[n-1]
	}
	m := newMarks(w.Collector)
	if err := m.list(ctx, before); err != nil {
		return nil, err
	}
	names, err := w.domain.Segments().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s, err := w.domain.Segments().Load(ctx, name)
		if karbor.KindOf(err) == karbor.NotFound {
			continue
		}
		if err != nil {
			// A cache may have taken it in before it was damaged.
			return nil, fmt.Errorf("the epoch %s is damaged, and what it condemned can't be told from the index: %w", damaged.Key, err)
		}
		for i := range s.Packs {
			if _, err := m.there(ctx, s.Packs[i].Name); err != nil {
				return nil, err
			}
		}
	}
	if err := w.rewrite(ctx, m.absent); err != nil {
		return nil, err
	}
	// Who begins a session from now on is not shown what was removed.
	if err := sleep(ctx, w.options.Times.Settle); err != nil {
		return nil, err
	}
	e := &session.Epoch{Number: damaged.Number + 1, Condemned: m.absent, Gone: m.absent}
	if err := w.write(ctx, e); err != nil {
		return nil, err
	}
	return []*session.Epoch{e}, nil
}
