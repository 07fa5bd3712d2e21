package collection

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// askLocks asks the bank until when those packs are locked that would go: nothing reaches them, or
// they would be rewritten. A listing does not tell of locks that were put on them later. Where the
// bank does not tell, they count as not locked: then it refuses to remove them, and they are
// kept.
func (w *work) askLocks(ctx context.Context) error {
	if !w.bank.Traits().ObjectLock {
		return nil
	}
	condemned, _ := w.marks.unreached(w.result.began.Add(-w.options.MinAge), w.result.began)
	asking, within := errgroup.WithContext(ctx)
	asking.SetLimit(sweepers)
	for _, names := range [][]format.Name{condemned, w.candidates()} {
		for _, name := range names {
			p := w.marks.packs[name]
			asking.Go(func() error {
				until, err := bank.LockedUntil(within, w.bank, dedup.PackKey(w.domain.Name(), p.kind, name))
				if err != nil && (within.Err() != nil || karbor.IsTransient(err)) {
					return fmt.Errorf("asking until when the pack %s is locked: %w", name, err)
				}
				if err == nil {
					w.marks.lock(p, until)
				}
				return nil
			})
		}
	}
	return asking.Wait()
}
