package store

import "context"

const nextEpoch = "UPDATE operations SET epoch = epoch + 1, dispatched = 0 WHERE id = ? AND ended_at IS NULL"

// Restart puts an operation that its engine has lost back into the outbox. What the lost
// engine gave away may write no more: see Claim. One that is over stays so.
func (s *Store) Restart(ctx context.Context, id string) error {
	return s.write(ctx, "putting the operation "+id+" back into the outbox", func(t *transaction) error {
		return t.exec(ctx, nextEpoch, id)
	})
}

// Rebuild is Restart, and removes what the local engine's journal has of the operation, by
// who holds the journal's lease.
func (s *Store) Rebuild(ctx context.Context, token int64, id string) error {
	return s.write(ctx, "removing the journal of the operation "+id, func(t *transaction) error {
		if err := fence(ctx, t, token); err != nil {
			return err
		}
		for _, query := range append(forgetJournal(), nextEpoch) {
			if err := t.exec(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetJournal are the statements that remove an operation from the journal.
func forgetJournal() []string {
	return []string{
		"DELETE FROM journal_steps WHERE operation_id = ?",
		"DELETE FROM journal_pages WHERE operation_id = ?",
		"DELETE FROM journal_operations WHERE id = ?",
	}
}
