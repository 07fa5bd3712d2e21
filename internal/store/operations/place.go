package operations

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Group are the operations of one project with one provider, as far as they are counted:
// those that delete are not.
type Group struct {
	ProjectID  string
	ProviderID string
	// Working have a place and are not over, and Waiting have none yet, the oldest of
	// which was accepted at Oldest.
	Working, Waiting int
	Oldest           time.Time
}

// Counted reports whether operations of a kind are counted, and wait for a place. One that
// deletes ends something, and makes room.
func Counted(op karbor.OperationType) bool { return op != karbor.Delete }

// counted are the conditions of Group; its argument is that of free.
const counted = "ended_at IS NULL AND operation_type <> ?"

// free is the kind of operations that wait for no place.
const free = string(karbor.Delete)

// OperationGroups gives all groups of which any operation is not over.
func (s *Store) OperationGroups(ctx context.Context) ([]Group, error) {
	found, err := groups(ctx, s.db)
	return found, rows.Failed("counting the operations that are at work", err)
}

func groups(ctx context.Context, q rows.Queryer) ([]Group, error) {
	return rows.All(ctx, q, scanGroup, `SELECT project_id, provider_id, COUNT(CASE WHEN dispatched = 3 THEN NULL ELSE 1 END),
		COUNT(CASE WHEN dispatched = 3 THEN 1 END), MIN(CASE WHEN dispatched = 3 THEN created_at END)
		FROM operations WHERE dispatched IN (0, 1, 3) AND `+counted+" GROUP BY project_id, provider_id", free)
}

func scanGroup(row *sql.Rows) (Group, error) {
	var g Group
	err := row.Scan(&g.ProjectID, &g.ProviderID, &g.Working, &g.Waiting, rows.Time(&g.Oldest))
	return g, err
}

// exempt are the operations that wait, and are not to: those that only end something, and
// those that are to be cancelled.
const exempt = `dispatched = 3 AND ended_at IS NULL AND (operation_type = ? OR id IN (SELECT operation_id
	FROM operation_requests WHERE kind = ? AND answered_at IS NULL))`

// GivePlaces puts operations that wait into the outbox: of each group, the oldest, as many as
// share says of the groups that it gets; and all that are not to wait. It reports whether any are
// left. No two calls give out the same place, whatever processes they are of. share may be called
// more than once, and is quick.
func (s *Store) GivePlaces(ctx context.Context, share func([]Group) []int) (left bool, err error) {
	waits, gives, err := s.looked(ctx, share)
	if err != nil || !gives {
		return waits, rows.Failed("looking for operations that may begin", err)
	}
	err = s.db.Write(ctx, "giving places to operations", func(t *rows.Tx) error {
		left = false
		if err := t.Exec(ctx, "UPDATE operations SET dispatched = 0 WHERE "+exempt, free, string(CancelRequest)); err != nil {
			return err
		}
		found, err := groups(ctx, t)
		if err != nil {
			return err
		}
		for i, n := range share(found) {
			left = left || n < found[i].Waiting
			if err := give(ctx, t, &found[i], n); err != nil {
				return err
			}
		}
		return nil
	})
	return left, err
}

// looked looks, without a transaction that writes, whether any operation waits, and whether any
// of them would be put into the outbox now.
func (s *Store) looked(ctx context.Context, share func([]Group) []int) (waits, gives bool, err error) {
	first, err := rows.All(ctx, s.db, rows.Text, "SELECT id FROM operations WHERE dispatched = 3 AND ended_at IS NULL LIMIT 1")
	if err != nil || len(first) == 0 {
		return false, false, err
	}
	first, err = rows.All(ctx, s.db, rows.Text, "SELECT id FROM operations WHERE "+exempt+" LIMIT 1", free, string(CancelRequest))
	if err != nil || len(first) > 0 {
		return true, err == nil, err
	}
	found, err := groups(ctx, s.db)
	if err != nil {
		return true, false, err
	}
	for _, n := range share(found) {
		gives = gives || n > 0
	}
	return true, gives, nil
}

// queued is the order in which the operations of a group get their places. What a restore in
// place waits for was accepted with it, and gets its place before.
const queued = "created_at, CASE WHEN operation_type = 'protect' THEN 0 ELSE 1 END, id"

// give puts the oldest of a group into the outbox.
func give(ctx context.Context, t *rows.Tx, g *Group, n int) error {
	if n <= 0 {
		return nil
	}
	ids, err := rows.All(ctx, t, rows.Text, "SELECT id FROM operations WHERE dispatched = 3 AND project_id = ? AND provider_id = ? AND "+
		counted+" ORDER BY "+queued+" LIMIT "+strconv.Itoa(n), g.ProjectID, g.ProviderID, free)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.Exec(ctx, "UPDATE operations SET dispatched = 0 WHERE id = ? AND dispatched = 3", id); err != nil {
			return err
		}
	}
	return nil
}

// WaitingBefore counts the operations of the same project and provider that get a place before
// one that waits.
func (s *Store) WaitingBefore(ctx context.Context, o Operation) (int, error) {
	rank := 1
	if o.Type == karbor.Protect {
		rank = 0
	}
	created := rows.Micros(o.CreatedAt)
	n, err := rows.One(ctx, s.db, rows.Int, `SELECT COUNT(*) FROM operations WHERE dispatched = 3 AND project_id = ? AND provider_id = ? AND `+
		counted+` AND (created_at < ? OR created_at = ? AND (CASE WHEN operation_type = 'protect' THEN 0 ELSE 1 END < ?
		OR CASE WHEN operation_type = 'protect' THEN 0 ELSE 1 END = ? AND id < ?))`,
		o.ProjectID, o.ProviderID, free, created, created, rank, rank, o.ID)
	return int(n), rows.Failed("counting what waits before operation "+o.ID, err)
}
