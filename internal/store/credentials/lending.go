package credentials

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor/internal/store/rows"
)

// Lending is a trust that is being made for a scheduled operation.
type Lending struct {
	ID, ProjectID, UserID string
	// End is when the trust ends, to the second, which tells it from all others.
	End time.Time
}

// lendingTime is how long a request may take that makes a trust and keeps it: a lending
// that is older was left by a process that has died.
const lendingTime = 15 * time.Minute

// BeginLending keeps that a trust is going to be made. What keeps the trust ends that:
// see Lent.
func (s *Store) BeginLending(ctx context.Context, l Lending) error {
	now, err := s.db.Moment(ctx)
	if err != nil {
		return err
	}
	return s.db.Note(ctx, "noting a trust that is going to be made", func(t *rows.Tx) error {
		return t.Exec(ctx, "INSERT INTO lendings (id, project_id, user_id, ends_at, try_at) VALUES (?, ?, ?, ?, ?)",
			l.ID, l.ProjectID, l.UserID, rows.Micros(l.End), rows.Micros(now.Add(lendingTime)))
	})
}

// LeftLendings gives some lendings whose processes have died by a time, which are to be
// looked for.
func (s *Store) LeftLendings(ctx context.Context, now time.Time, limit int) ([]Lending, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (Lending, error) {
		var l Lending
		err := row.Scan(&l.ID, &l.ProjectID, &l.UserID, rows.Time(&l.End))
		return l, err
	}, "SELECT id, project_id, user_id, ends_at FROM lendings WHERE try_at <= ? ORDER BY try_at, id LIMIT ?", rows.Micros(now), limit)
	return found, rows.Failed("listing the trusts that may be left", err)
}

// EndLending forgets a lending, or, with a time, has it looked for again then.
func (s *Store) EndLending(ctx context.Context, id string, again time.Time) error {
	return s.db.Note(ctx, "noting that a trust is not left", func(t *rows.Tx) error {
		if again.IsZero() {
			return endLending(ctx, t, id)
		}
		return t.Exec(ctx, "UPDATE lendings SET try_at = ? WHERE id = ?", rows.Micros(again), id)
	})
}

func endLending(ctx context.Context, t *rows.Tx, id string) error {
	return t.Exec(ctx, "DELETE FROM lendings WHERE id = ?", id)
}
