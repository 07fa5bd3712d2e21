package ledger

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/store/rows"
)

// Becoming is what becomes of a checkpoint as an operation on it ends.
type Becoming struct {
	// Gone says that it is deleted.
	Gone bool
	// Size is its size from then on, in logical bytes; 0 leaves it as it is.
	Size int64
}

// Settle gives back what an operation has set aside, and keeps the project's usages in step
// with what becomes of the checkpoint that it worked on. It must come before that is kept.
func Settle(ctx context.Context, t *rows.Tx, m Maker, providerID, checkpointID string, b Becoming) error {
	if _, err := lockCheckpointUsages(ctx, t, m.ProjectID); err != nil {
		return err
	}
	// One look is enough, as all is known that changes afterwards.
	found, err := rows.All(ctx, t, scanStanding, `SELECT '' AS operation_id, '' AS checkpoint_id, '' AS project_id,
		'' AS resource, size FROM checkpoints WHERE id = ? AND provider_id = ? AND deleted = 0
		UNION ALL SELECT operation_id, checkpoint_id, project_id, resource, delta FROM reservations
		WHERE operation_id = ? AND deleted = 0
		UNION ALL SELECT operation_id, checkpoint_id, project_id, resource, delta FROM reservations
		WHERE checkpoint_id = ? AND deleted = 0 AND operation_id <> ?`,
		checkpointID, providerID, m.OperationID, checkpointID, m.OperationID)
	if err != nil {
		return err
	}
	changes, reserved := settled(m, checkpointID, b, found)
	for _, key := range slices.SortedFunc(maps.Keys(changes), usageKey.compare) {
		if err := Change(ctx, t, key.project, key.resource, changes[key]); err != nil {
			return err
		}
	}
	if !reserved {
		return nil
	}
	return deleteReservations(ctx, t, m.OperationID)
}

// settled works out what changes of the usages, and whether the operation has anything set
// aside.
func settled(m Maker, checkpointID string, b Becoming, found []standing) (changes map[usageKey]Usage, reserved bool) {
	var there, own, others bool
	var before, after int64
	changes = map[usageKey]Usage{}
	change := func(project string, r QuotaResource, by Usage) {
		sum := changes[usageKey{project, r}]
		changes[usageKey{project, r}] = Usage{InUse: sum.InUse + by.InUse, Reserved: sum.Reserved + by.Reserved}
	}
	for _, s := range found {
		switch s.operation {
		case "":
			there, before, after = true, wholeGibibytes(s.n), wholeGibibytes(s.n)
		case m.OperationID:
			reserved, own = true, own || s.checkpoint == checkpointID
			change(s.project, s.resource, Usage{Reserved: -s.n})
		default:
			others = true
		}
	}
	if b.Size != 0 {
		after = wholeGibibytes(b.Size)
	}
	// What is reserved counts by that, and what is not there by nothing.
	if there && !own && !others {
		change(m.ProjectID, QuotaCheckpoints, Usage{InUse: -1})
		change(m.ProjectID, QuotaGigabytes, Usage{InUse: -before})
	}
	if there && !others && !b.Gone {
		change(m.ProjectID, QuotaCheckpoints, Usage{InUse: 1})
		change(m.ProjectID, QuotaGigabytes, Usage{InUse: after})
	}
	return changes, reserved
}

// wholeGibibytes is gibibytes in Go.
func wholeGibibytes(size int64) int64 {
	const gibibyte = 1 << 30
	return (size + gibibyte - 1) / gibibyte
}

// standing is a reservation, or, of no operation, a checkpoint with its size.
type standing struct {
	operation, checkpoint, project string
	resource                       QuotaResource
	n                              int64
}

func scanStanding(row *sql.Rows) (standing, error) {
	var s standing
	err := row.Scan(&s.operation, &s.checkpoint, &s.project, (*string)(&s.resource), &s.n)
	return s, err
}

// compare gives usages the order in which they are changed.
func (k usageKey) compare(other usageKey) int {
	if c := strings.Compare(k.project, other.project); c != 0 {
		return c
	}
	return strings.Compare(string(k.resource), string(other.resource))
}
