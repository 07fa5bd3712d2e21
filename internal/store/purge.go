package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/store/rows"
)

// Purge says what PurgeDeleted removes.
type Purge struct {
	// Before is the date of deletion, or of an operation's end, from which on rows stay.
	Before time.Time
	// DryRun counts, and removes nothing.
	DryRun bool
	// Batch is the most rows of one transaction; 0 stands for DefaultPurgeBatch.
	Batch int
}

// DefaultPurgeBatch is how many rows one transaction removes: few enough that
// requests need not wait for it.
const DefaultPurgeBatch = 500

// Purged is how many rows of a table were removed, or would be.
type Purged struct {
	Table string
	Rows  int64
}

// purged describes a table of which deleted rows are removed.
type purged struct {
	table string
	// keys are the columns of its primary key.
	keys []string
	// where, if any, keeps further rows.
	where string
	// old, with the date, tells which rows may go; "" stands for the deleted ones.
	old string
}

// conditions tell which rows are old enough, given a date, and what must still hold
// when one is removed: it may have come to life again, as a checkpoint that its bank
// has after all.
func (p purged) conditions() (old, still string) {
	if p.old != "" {
		return p.old, "1 = 1" // what has ended never begins again
	}
	return "deleted = 1 AND deleted_at < ?", "deleted = 1"
}

// purgedTables are in an order in which nothing that is referred to goes first.
var purgedTables = []purged{
	{table: "resources", keys: []string{"id"}},
	{table: "plans", keys: []string{"id"}, where: "NOT EXISTS (SELECT 1 FROM resources WHERE resources.plan_id = plans.id)"},
	{table: "verified_resources", keys: []string{"checkpoint_id", "provider_id", "resource"}, old: ofDeletedCheckpoints("verified_resources")},
	{table: "checkpoint_locks", keys: []string{"checkpoint_id", "provider_id"}, old: ofDeletedCheckpoints("checkpoint_locks")},
	{table: "keepings", keys: []string{"checkpoint_id", "provider_id"}, old: ofDeletedCheckpoints("keepings")},
	{table: "checkpoints", keys: []string{"id", "provider_id"}},
	{table: "restores", keys: []string{"id"}},
	{table: "verifications", keys: []string{"id"}},
	{table: "copies", keys: []string{"id"}},
	{table: "drill_events", keys: []string{"drill_id", "position", "name"},
		old: "EXISTS (SELECT 1 FROM drills WHERE drills.id = drill_events.drill_id AND drills.deleted = 1 AND drills.deleted_at < ?)"},
	// As long as its checkpoint is there, the record of a deleted drill may still lie beside it: in a
	// bank that has locked it, or does not answer.
	{table: "drill_proofs", keys: []string{"drill_id"},
		old: "EXISTS (SELECT 1 FROM drills WHERE drills.id = drill_proofs.drill_id AND drills.deleted = 1 AND drills.deleted_at < ? " +
			"AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE checkpoints.id = drills.checkpoint_id AND " +
			"checkpoints.provider_id = drills.provider_id AND checkpoints.deleted = 0))"},
	{table: "drills", keys: []string{"id"}, where: "NOT EXISTS (SELECT 1 FROM drill_proofs WHERE drill_proofs.drill_id = drills.id)"},
	{table: "copied_checkpoints", keys: []string{"copy_id", "position"}, old: "ended_at < ? AND NOT EXISTS " +
		"(SELECT 1 FROM operations WHERE operations.id = copied_checkpoints.copy_id)"},
	{table: "operation_logs", keys: []string{"id"}},
	{table: "scheduled_run_operations", keys: []string{"run_id", "position"},
		old: "run_id IN (SELECT id FROM scheduled_runs WHERE deleted = 1 AND deleted_at < ?)"},
	{table: "scheduled_runs", keys: []string{"id"}},
	{table: "schedules", keys: []string{"scheduled_operation_id"}},
	{table: "scheduled_operations", keys: []string{"id"}},
	{table: "triggers", keys: []string{"id"}},
	{table: "services", keys: []string{"id"}},
	{table: "quotas", keys: []string{"id"}},
	{table: "quota_classes", keys: []string{"id"}},
	// What was left in the cloud, once it is given up: see Leftover.
	{table: "leftovers", keys: []string{"operation_id", "resource_key"}, old: "given_up = 1 AND tried_at < ?"},
	{table: "scratch", keys: []string{"operation_id", "resource_key"}, old: "operation_id IN (SELECT id FROM operations WHERE ended_at < ?)",
		where: "NOT EXISTS (SELECT 1 FROM leftovers WHERE leftovers.operation_id = scratch.operation_id)"},
	{table: "operation_requests", keys: []string{"operation_id", "kind"},
		old: "operation_id IN (SELECT id FROM operations WHERE dispatched = 2 AND ended_at < ?)"},
	{table: "holdings", keys: []string{"id"}, old: "operation_id IN (SELECT id FROM operations WHERE dispatched = 2 AND ended_at < ?)",
		where: "NOT EXISTS (SELECT 1 FROM leftovers WHERE leftovers.operation_id = holdings.operation_id)"},
	// A process may have died with the turn of an operation that is over, while it removed what that had left.
	{table: "turns", keys: []string{"operation_id", "name"}, old: "operation_id IN (SELECT id FROM operations WHERE dispatched = 2 AND ended_at < ?)"},
	// Operations are never deleted: they end, and the engine forgets them.
	{table: "operation_resources", keys: []string{"operation_id", "resource_key"},
		old:   "operation_id IN (SELECT id FROM operations WHERE dispatched = 2 AND ended_at < ?)",
		where: "NOT EXISTS (SELECT 1 FROM leftovers WHERE leftovers.operation_id = operation_resources.operation_id)"},
	{table: "operations", keys: []string{"id"}, old: "dispatched = 2 AND ended_at < ?", where: "NOT EXISTS (SELECT 1 FROM " +
		"operation_resources WHERE operation_resources.operation_id = operations.id) AND NOT EXISTS (SELECT 1 FROM " +
		"operation_requests WHERE operation_requests.operation_id = operations.id) AND NOT EXISTS (SELECT 1 FROM " +
		"holdings WHERE holdings.operation_id = operations.id) AND NOT EXISTS (SELECT 1 FROM " +
		"turns WHERE turns.operation_id = operations.id)"},
}

// ofDeletedCheckpoints tells which rows of a table belong to checkpoints that were deleted
// before a date.
func ofDeletedCheckpoints(table string) string {
	return "EXISTS (SELECT 1 FROM checkpoints WHERE checkpoints.id = " + table + ".checkpoint_id AND checkpoints.provider_id = " +
		table + ".provider_id AND checkpoints.deleted = 1 AND checkpoints.deleted_at < ?)"
}

// PurgeDeleted removes rows for good that were deleted long ago, and operations that
// ended then with what is known of their resources, in transactions of few rows each. What it has removed stays removed if it fails half-way.
func (s *Store) PurgeDeleted(ctx context.Context, p Purge) ([]Purged, error) {
	if p.Batch <= 0 {
		p.Batch = DefaultPurgeBatch
	}
	found := make([]Purged, 0, len(purgedTables))
	for _, table := range purgedTables {
		n, err := s.purgeTable(ctx, table, p)
		found = append(found, Purged{Table: table.table, Rows: n})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (s *Store) purgeTable(ctx context.Context, table purged, p Purge) (int64, error) {
	old, still := table.conditions()
	where := " FROM " + table.table + " WHERE " + old
	if table.where != "" && !p.DryRun {
		where += " AND " + table.where
	}
	if p.DryRun {
		n, err := rows.One(ctx, s.db, rows.Int, "SELECT COUNT(*)"+where, rows.Micros(p.Before))
		return n, rows.Failed("counting the old rows of "+table.table, err)
	}
	var removed int64
	for {
		// The rows are looked for outside of the transaction, which would lock
		// what it reads.
		keys, err := rows.All(ctx, s.db, scanKey(len(table.keys)),
			"SELECT "+strings.Join(table.keys, ", ")+where+" LIMIT ?", rows.Micros(p.Before), p.Batch)
		if err != nil {
			return removed, rows.Failed("looking for the old rows of "+table.table, err)
		}
		var n int64
		err = s.db.Write(ctx, "purging "+table.table, func(t *rows.Tx) error {
			n = 0
			for _, key := range keys {
				one, err := t.Changed(ctx, "DELETE FROM "+table.table+" WHERE "+strings.Join(table.keys, " = ? AND ")+
					" = ? AND "+still, key...)
				if err != nil {
					return err
				}
				n += one
			}
			return nil
		})
		if err != nil {
			return removed, err
		}
		removed += n
		if len(keys) < p.Batch || n == 0 {
			return removed, nil
		}
	}
}

// scanKey reads a row of n columns as they are.
func scanKey(n int) func(*sql.Rows) ([]any, error) {
	return func(row *sql.Rows) ([]any, error) {
		values, into := make([]any, n), make([]any, n)
		for i := range values {
			into[i] = &values[i]
		}
		if err := row.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a key: %w", err)
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			}
		}
		return values, nil
	}
}
