package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/karbor/karbor"
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
	err := s.write(ctx, "claiming the step "+step+" of the operation "+operationID, func(t *transaction) error {
		epoch, err := one(ctx, t, scanInt, "SELECT epoch FROM operations WHERE id = ? AND ended_at IS NULL", operationID)
		if errors.Is(err, sql.ErrNoRows) {
			return c.lost()
		}
		if err != nil {
			return err
		}
		c.attempt = int64(attempt) + epoch<<epochBits
		// An attempt that is repeated under its number is the same claim.
		n, err := t.changed(ctx, "UPDATE step_claims SET attempt = ? WHERE operation_id = ? AND step = ? AND attempt <= ?",
			c.attempt, operationID, step, c.attempt)
		if err != nil || n > 0 {
			return err
		}
		_, err = one(ctx, t, scanText, "SELECT step FROM step_claims WHERE operation_id = ? AND step = ? AND attempt >= ?",
			operationID, step, c.attempt)
		switch {
		case err == nil:
			return c.holds(ctx, t)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		return t.later(ctx, "INSERT INTO step_claims (operation_id, step, attempt) VALUES (?, ?, ?)", operationID, step, c.attempt)
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
	return failed("looking for the claim of the step "+c.step, c.holds(ctx, s.reader))
}

// claimed is Claimed within a transaction.
func claimed(ctx context.Context, t *transaction) error {
	if c, ok := ctx.Value(claimKey{}).(claim); ok {
		return c.holds(ctx, t)
	}
	return nil
}

// holds looks whether no later attempt has claimed the step.
func (c claim) holds(ctx context.Context, q queryer) error {
	_, err := one(ctx, q, scanText, "SELECT step FROM step_claims WHERE operation_id = ? AND step = ? AND attempt = ?",
		c.operation, c.step, c.attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return c.lost()
	}
	return err
}

func (c claim) lost() error {
	return karbor.Errorf(karbor.Conflict, "the step %s of operation %s goes on elsewhere, or is over", c.step, c.operation)
}
