package journal

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// share is one that has unfinished operations, and their number.
type share struct {
	name string
	n    int
}

func scanShare(row *sql.Rows) (share, error) {
	var s share
	err := row.Scan(&s.name, &s.n)
	return s, err
}

// Shares implements local.Journal.
func (j journal) Shares(ctx context.Context) (map[string]int, error) {
	found, err := rows.All(ctx, j.s.db, scanShare,
		"SELECT share, COUNT(*) FROM journal_operations WHERE ended_at IS NULL GROUP BY share")
	out := make(map[string]int, len(found))
	for _, s := range found {
		out[s.name] = s.n
	}
	return out, rows.Failed("counting the unfinished operations", err)
}

// Unfinished implements local.Journal.
func (j journal) Unfinished(ctx context.Context, share string, limit int) ([]local.OperationRecord, error) {
	found, err := rows.All(ctx, j.s.db, scanJournalOperation, "SELECT "+journalColumns+
		" FROM journal_operations WHERE ended_at IS NULL AND share = ? ORDER BY created_at, id LIMIT ?", share, limit)
	return found, rows.Failed("listing the unfinished operations", err)
}

// Requested implements local.Journal.
func (j journal) Requested(ctx context.Context, limit int) ([]local.OperationRecord, error) {
	found, err := rows.All(ctx, j.s.db, scanJournalOperation, "SELECT "+journalColumns+
		" FROM journal_operations WHERE ended_at IS NULL AND requested <> '' ORDER BY created_at, id LIMIT ?", limit)
	return found, rows.Failed("listing the operations that are to be cancelled", err)
}

// Before implements local.Journal.
func (j journal) Before(ctx context.Context, op local.OperationRecord) (int, error) {
	at := rows.Micros(op.CreatedAt)
	n, err := rows.One(ctx, j.s.db, rows.Int, `SELECT COUNT(*) FROM journal_operations WHERE ended_at IS NULL AND share = ?
		AND state = ? AND requested = '' AND (created_at < ? OR created_at = ? AND id < ?)`,
		op.Share, string(workflow.Pending), at, at, op.ID)
	return int(n), rows.Failed("counting the operations before "+op.ID, err)
}
