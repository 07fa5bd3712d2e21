package leftovers

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor/internal/store/rows"
)

// LiveOwners gives the ids that what operations make in the cloud may be tagged with, of
// the operations that are not over, and of those that have left something that is still
// known: the operation's own id, its checkpoint's and its restore's. Given-up leftovers
// are among them.
func (s *Store) LiveOwners(ctx context.Context) (map[string]bool, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (ids [3]string, err error) {
		err = row.Scan(&ids[0], &ids[1], &ids[2])
		return ids, err
	}, `SELECT id, checkpoint_id, restore_id FROM operations WHERE ended_at IS NULL
		UNION SELECT o.id, o.checkpoint_id, o.restore_id FROM operations o JOIN leftovers l ON l.operation_id = o.id`)
	if err != nil {
		return nil, rows.Failed("listing the operations that may have something in the cloud", err)
	}
	owners := make(map[string]bool, 3*len(found))
	for _, ids := range found {
		for _, id := range ids {
			if id != "" {
				owners[id] = true
			}
		}
	}
	return owners, nil
}
