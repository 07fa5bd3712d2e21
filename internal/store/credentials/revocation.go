package credentials

import (
	"context"
	"database/sql"
	"encoding/base64"

	"github.com/karbor/karbor/internal/store/rows"
)

// Revocation is the delegation of an operation that is over, which Keystone has not
// taken back yet.
type Revocation struct {
	OperationID string
	// Delegation is sealed by who made it.
	Delegation []byte
}

// Revocations lists the oldest ones.
func (s *Store) Revocations(ctx context.Context, limit int) ([]Revocation, error) {
	found, err := rows.All(ctx, s.db, scanRevocation,
		"SELECT operation_id, delegation FROM revocations ORDER BY created_at, operation_id LIMIT ?", limit)
	return found, rows.Failed("listing the delegations to revoke", err)
}

// Revoked forgets a delegation that is revoked. A repeat is harmless.
func (s *Store) Revoked(ctx context.Context, operationID string) error {
	return s.db.Write(ctx, "forgetting a revoked delegation", func(t *rows.Tx) error {
		return t.Exec(ctx, "DELETE FROM revocations WHERE operation_id = ?", operationID)
	})
}

// AddRevocation keeps what an operation was authorized with, to be revoked.
func AddRevocation(ctx context.Context, t *rows.Tx, operationID string) error {
	return t.Exec(ctx, `INSERT INTO revocations (operation_id, delegation, created_at)
		SELECT id, delegation, created_at FROM operations WHERE id = ? AND delegation IS NOT NULL`, operationID)
}

func scanRevocation(row *sql.Rows) (Revocation, error) {
	var r Revocation
	var text string
	err := row.Scan(&r.OperationID, &text)
	if err == nil {
		r.Delegation, err = base64.StdEncoding.DecodeString(text)
	}
	return r, err
}
