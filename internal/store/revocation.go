package store

import (
	"context"
	"database/sql"
	"encoding/base64"
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
	found, err := all(ctx, s.reader, scanRevocation,
		"SELECT operation_id, delegation FROM revocations ORDER BY created_at, operation_id LIMIT ?", limit)
	return found, failed("listing the delegations to revoke", err)
}

// Revoked forgets a delegation that is revoked. A repeat is harmless.
func (s *Store) Revoked(ctx context.Context, operationID string) error {
	return s.write(ctx, "forgetting a revoked delegation", func(t *transaction) error {
		return t.exec(ctx, "DELETE FROM revocations WHERE operation_id = ?", operationID)
	})
}

// insertRevocation keeps what an operation was authorized with, to be revoked.
func insertRevocation(ctx context.Context, t *transaction, operationID string) error {
	return t.exec(ctx, `INSERT INTO revocations (operation_id, delegation, created_at)
		SELECT id, delegation, created_at FROM operations WHERE id = ? AND delegation IS NOT NULL`, operationID)
}

func scanRevocation(rows *sql.Rows) (Revocation, error) {
	var r Revocation
	var text string
	err := rows.Scan(&r.OperationID, &text)
	if err == nil {
		r.Delegation, err = base64.StdEncoding.DecodeString(text)
	}
	return r, err
}
