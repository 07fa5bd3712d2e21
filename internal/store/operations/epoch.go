package operations

import (
	"context"

	"github.com/karbor/karbor/internal/store/journal"
	"github.com/karbor/karbor/internal/store/rows"
)

const nextEpoch = "UPDATE operations SET epoch = epoch + 1, dispatched = 0 WHERE id = ? AND ended_at IS NULL"

// Restart puts an operation that its engine has lost back into the outbox. What the lost
// engine gave away may write no more: see Claim. One that is over stays so.
func (s *Store) Restart(ctx context.Context, id string) error {
	return s.db.Write(ctx, "putting the operation "+id+" back into the outbox", func(t *rows.Tx) error {
		return t.Exec(ctx, nextEpoch, id)
	})
}

// Rebuild is Restart, and removes what the local engine's journal has of the operation, by
// who holds the journal's lease.
func (s *Store) Rebuild(ctx context.Context, token int64, id string) error {
	return s.db.Write(ctx, "removing the journal of the operation "+id, func(t *rows.Tx) error {
		if err := journal.Fence(ctx, t, token); err != nil {
			return err
		}
		for _, query := range append(journal.Forget(), nextEpoch) {
			if err := t.Exec(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}
