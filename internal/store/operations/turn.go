package operations

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Turn is that of one of an operation's hooks among those that make things which they share.
type Turn struct {
	OperationID, Name string
	// Holder tells this turn apart from all others.
	Holder string
}

// turnOver tells, given the time, whether a turn is over though nobody has given it back.
const turnOver = `(turns.until_at <= ? OR turns.step <> '' AND NOT EXISTS (SELECT 1 FROM step_claims WHERE
	step_claims.operation_id = turns.operation_id AND step_claims.step = turns.step AND step_claims.attempt = turns.attempt))`

// TakeTurn takes a turn for a time, by the clock of the database, and reports whether nobody else has it. It is over when
// that time is, unless it is kept, or when the attempt whose context this is (Claim) has lost its claim. To
// take it again is no error. The error is karbor.Conflict for an attempt that has.
func (s *Store) TakeTurn(ctx context.Context, turn Turn, lasting time.Duration) (taken bool, err error) {
	doing := "taking the turn " + turn.Name + " of operation " + turn.OperationID
	now, err := s.db.Moment(ctx)
	if err != nil {
		return false, rows.Failed(doing, err)
	}
	const which = " WHERE turns.operation_id = ? AND turns.name = ?"
	// Who waits only looks.
	there, err := rows.One(ctx, s.db, rows.Int, "SELECT COUNT(*) FROM turns"+which+" AND turns.holder <> ? AND NOT "+turnOver,
		turn.OperationID, turn.Name, turn.Holder, rows.Micros(now))
	if err != nil || there > 0 {
		return false, rows.Failed(doing, err)
	}
	until := rows.Micros(now.Add(lasting))
	err = s.db.Write(ctx, doing, func(t *rows.Tx) (err error) {
		if err := Claimed(ctx, t); err != nil {
			return err
		}
		c, _ := ctx.Value(claimKey{}).(claim)
		taken, err = t.Insert(ctx, "INSERT INTO turns (operation_id, name, holder, step, attempt, until_at) VALUES (?, ?, ?, ?, ?, ?)",
			turn.OperationID, turn.Name, turn.Holder, c.step, c.attempt, until)
		if err != nil || taken {
			return err
		}
		n, err := t.Changed(ctx, "UPDATE turns SET holder = ?, step = ?, attempt = ?, until_at = ?"+which+" AND (turns.holder = ? OR "+turnOver+")",
			turn.Holder, c.step, c.attempt, until, turn.OperationID, turn.Name, turn.Holder, rows.Micros(now))
		taken = n > 0
		return err
	})
	return taken && err == nil, err
}

// KeepTurn keeps a turn that was taken for a time from now on. The error is karbor.Conflict if it is another's by now, its
// operation has ended, or the attempt whose context this is has lost its claim.
func (s *Store) KeepTurn(ctx context.Context, turn Turn, lasting time.Duration) error {
	doing := "keeping the turn " + turn.Name + " of operation " + turn.OperationID
	now, err := s.db.Moment(ctx)
	if err != nil {
		return rows.Failed(doing, err)
	}
	return s.db.Write(ctx, doing, func(t *rows.Tx) error {
		if err := Claimed(ctx, t); err != nil {
			return err
		}
		n, err := t.Changed(ctx, "UPDATE turns SET until_at = ? WHERE operation_id = ? AND name = ? AND holder = ?",
			rows.Micros(now.Add(lasting)), turn.OperationID, turn.Name, turn.Holder)
		if err == nil && n == 0 {
			err = karbor.Errorf(karbor.Conflict, "the turn %s of operation %s is another's by now", turn.Name, turn.OperationID)
		}
		return err
	})
}

// LeaveTurn gives a turn back. One that is another's by now is no error.
func (s *Store) LeaveTurn(ctx context.Context, turn Turn) error {
	return s.db.Write(ctx, "giving the turn "+turn.Name+" of operation "+turn.OperationID+" back", func(t *rows.Tx) error {
		return t.Exec(ctx, "DELETE FROM turns WHERE operation_id = ? AND name = ? AND holder = ?", turn.OperationID, turn.Name, turn.Holder)
	})
}

// EndTurns gives all turns of an operation back that ends.
func EndTurns(ctx context.Context, t *rows.Tx, operationID string) error {
	return t.Later(ctx, "DELETE FROM turns WHERE operation_id = ?", operationID)
}
