package operations

import (
	"context"
	"database/sql"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// claim is an attempt of a step.
type claim struct {
	operation, step string
	// attempt counts within the operation's epoch, which is in the upper half.
	attempt int64
}

// epochBits is where the epoch begins in the number of an attempt.
const epochBits = 32

type claimKey struct{}

// Claim gives a context for what an attempt of a step writes: as soon as a later attempt has
// claimed the step, or the operation has ended, UpdateResource and SaveScratch refuse it as
// karbor.Conflict, and so does Claimed. An attempt that comes too late for its claim is
// refused at once.
func (s *Store) Claim(ctx context.Context, operationID, step string, attempt int) (context.Context, error) {
	c := claim{operationID, step, int64(attempt)}
	err := s.db.Write(ctx, "claiming the step "+step+" of the operation "+operationID, func(t *rows.Tx) error {
		epoch, err := rows.One(ctx, t, rows.Int, "SELECT epoch FROM operations WHERE id = ? AND ended_at IS NULL", operationID)
		if errors.Is(err, sql.ErrNoRows) {
			return c.lost()
		}
		if err != nil {
			return err
		}
		c.attempt = int64(attempt) + epoch<<epochBits
		// An attempt that is repeated under its number is the same claim.
		n, err := t.Changed(ctx, "UPDATE step_claims SET attempt = ? WHERE operation_id = ? AND step = ? AND attempt <= ?",
			c.attempt, operationID, step, c.attempt)
		if err != nil || n > 0 {
			return err
		}
		_, err = rows.One(ctx, t, rows.Text, "SELECT step FROM step_claims WHERE operation_id = ? AND step = ? AND attempt >= ?",
			operationID, step, c.attempt)
		switch {
		case err == nil:
			return c.holds(ctx, t)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		return t.Later(ctx, "INSERT INTO step_claims (operation_id, step, attempt) VALUES (?, ?, ?)", operationID, step, c.attempt)
	})
	return context.WithValue(ctx, claimKey{}, c), err
}

// Claimed reports, as karbor.Conflict, that the attempt whose context this is may write no
// more. A context without a claim may.
func (s *Store) Claimed(ctx context.Context) error {
	c, ok := ctx.Value(claimKey{}).(claim)
	if !ok {
		return nil
	}
	return rows.Failed("looking for the claim of the step "+c.step, c.holds(ctx, s.db))
}

// Claimed is Claimed within a transaction.
func Claimed(ctx context.Context, t *rows.Tx) error {
	if c, ok := ctx.Value(claimKey{}).(claim); ok {
		return c.holds(ctx, t)
	}
	return nil
}

// holds looks whether no later attempt has claimed the step.
func (c claim) holds(ctx context.Context, q rows.Queryer) error {
	_, err := rows.One(ctx, q, rows.Text, "SELECT step FROM step_claims WHERE operation_id = ? AND step = ? AND attempt = ?",
		c.operation, c.step, c.attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return c.lost()
	}
	return err
}

func (c claim) lost() error {
	return karbor.Errorf(karbor.Conflict, "the step %s of operation %s goes on elsewhere, or is over", c.step, c.operation)
}
