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

// Begun reports whether an operation may have begun on an engine: one was handed over anew, as its
// engine had lost it, or any of its resources was begun.
func (s *Store) Begun(ctx context.Context, id string) (bool, error) {
	begun, err := rows.One(ctx, s.db, rows.Int, `SELECT CASE WHEN epoch > 0 OR EXISTS
		(SELECT operation_id FROM operation_resources WHERE operation_id = operations.id AND started = 1) THEN 1 ELSE 0 END
		FROM operations WHERE id = ?`, id)
	if err != nil {
		return false, rows.Missing(err, "operation", id)
	}
	return begun > 0, nil
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
