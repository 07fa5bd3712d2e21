package collection

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// sweepers delete at the same time.
const sweepers = 8

// sweep deletes what was condemned and is neither reached nor kept.
func (w *work) sweep(ctx context.Context, condemned []format.Name, keeps map[format.Name]struct{}, e *session.Epoch) error {
	var mu sync.Mutex
	deleting, within := errgroup.WithContext(ctx)
	deleting.SetLimit(sweepers)
	for i, name := range condemned {
		if within.Err() != nil {
			break
		}
		p := w.marks.packs[name]
		if p == nil {
			continue // it was gone already, and a listing had lagged
		}
		if _, kept := keeps[name]; kept || p.reached {
			why := InUse
			if p.reached {
				why = Reached
			}
			mu.Lock()
			w.result.keep(Kept{Kind: p.kind, Pack: name, Why: why})
			mu.Unlock()
			delete(e.Condemned, name)
			continue
		}
		w.progress(Progress{Phase: Sweeping, Done: i, Total: len(condemned)})
		deleting.Go(func() error {
			err := w.lease.while(within, func(ctx context.Context) error {
				return w.bank.Delete(ctx, dedup.PackKey(w.domain.Name(), p.kind, name))
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				w.result.Deleted++
				w.result.Freed += p.size
			case within.Err() != nil || w.lease.left() < w.options.Times.Margin:
				return fmt.Errorf("deleting the pack %s: %w", name, err)
			default:
				w.result.keep(Kept{Kind: p.kind, Pack: name, Why: Failed, Err: err})
			}
			return nil
		})
	}
	return deleting.Wait()
}

// tidy removes what is of no use any more: records of dead sessions, and old epochs.
func (w *work) tidy(ctx context.Context, e *session.Epoch, dead []session.Listed) error {
	for _, s := range dead {
		for _, key := range s.Keys {
			if err := w.bank.Delete(ctx, key); err != nil {
				return fmt.Errorf("removing a session that is dead: %w", err)
			}
		}
	}
	epochs, err := session.Epochs(ctx, w.bank, w.domain.Name())
	if err != nil {
		return err
	}
	for _, n := range epochs {
		if n >= e.Number-1 {
			break
		}
		if err := w.bank.Delete(ctx, session.EpochKey(w.domain.Name(), n)); err != nil {
			return fmt.Errorf("removing the epoch %d: %w", n, err)
		}
	}
	return nil
}
