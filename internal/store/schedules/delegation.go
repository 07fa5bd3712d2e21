package schedules

import (
	"context"
	"database/sql"
	"encoding/base64"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Lent is a delegation that a user has lent to a scheduled operation.
type Lent struct {
	// Sealed is sealed by who made it.
	Sealed []byte
	// Kind is karbor.DelegationTrust or karbor.DelegationCredential.
	Kind string
	// End is when it ends by itself; zero for never.
	End time.Time
	// Lending is that of BeginLending, which is over when the delegation is kept; "" for
	// none.
	Lending string
}

// lend keeps a delegation, which has just been seen to work.
func (s *Store) lend(ctx context.Context, t *rows.Tx, id string, l Lent) error {
	if l.Lending != "" {
		// One that was given up meanwhile may be looked for now: then the delegation is lost.
		n, err := t.Changed(ctx, "DELETE FROM lendings WHERE id = ?", l.Lending)
		if err == nil && n == 0 {
			err = karbor.Transientf("the trust took too long to be made")
		}
		if err != nil {
			return err
		}
	}
	now := rows.Micros(s.db.Now())
	return t.Exec(ctx, `UPDATE schedules SET delegation = ?, delegation_kind = ?, delegation_state = ?, delegation_reason = '',
		delegation_end = ?, probed_at = ?, probe_at = ? WHERE scheduled_operation_id = ?`, rows.Sealed(l.Sealed), l.Kind,
		string(karbor.DelegationGood), rows.MicrosOrNull(l.End), now, now+firstProbe.Microseconds(), id)
}

// firstProbe is when a delegation is tried again that has just been made.
const firstProbe = time.Hour

// relend puts a delegation in the place of the one that is there.
func (s *Store) relend(ctx context.Context, t *rows.Tx, id string, lent *Lent) error {
	if lent == nil {
		return nil
	}
	if err := giveBack(ctx, t, id, rows.Micros(s.db.Now())); err != nil {
		return err
	}
	return s.lend(ctx, t, id, *lent)
}

// giveBack puts a schedule's delegation, if there is one, into the list of those to be
// given back.
func giveBack(ctx context.Context, t *rows.Tx, id string, now int64) error {
	return t.Exec(ctx, `INSERT INTO returned_delegations (id, scheduled_operation_id, delegation, try_at)
		SELECT ?, scheduled_operation_id, delegation, ? FROM schedules WHERE scheduled_operation_id = ? AND delegation IS NOT NULL`,
		karbor.NewID(), now, id)
}

// ReturnedDelegation is one that no scheduled operation uses any more.
type ReturnedDelegation struct {
	ID, ScheduledOperationID string
	// Sealed is nil of one that can't be read any more.
	Sealed []byte
}

// ReturnedDelegations gives some of those that are to be given back now: no run that
// may use them goes on, and no operation of the scheduled operation, such as the
// deletions after its runs, nor is anything left in the cloud to be removed by one.
func (s *Store) ReturnedDelegations(ctx context.Context, now time.Time, limit int) ([]ReturnedDelegation, error) {
	found, err := rows.All(ctx, s.db, scanReturned, `SELECT id, scheduled_operation_id, delegation FROM returned_delegations d
		WHERE try_at <= ? AND NOT EXISTS (SELECT 1 FROM scheduled_runs r WHERE r.scheduled_operation_id = d.scheduled_operation_id
		AND (r.state = ? OR r.state = ? AND r.owner <> ''))
		AND NOT EXISTS (SELECT 1 FROM operations p JOIN operation_logs l ON l.id = p.log_id WHERE p.ended_at IS NULL
		AND p.delegation IS NOT NULL AND l.scheduled_operation_id = d.scheduled_operation_id)
		AND NOT EXISTS (SELECT 1 FROM leftovers f JOIN operations p ON p.id = f.operation_id JOIN operation_logs l ON l.id = p.log_id
		WHERE p.delegation IS NOT NULL AND l.scheduled_operation_id = d.scheduled_operation_id) ORDER BY try_at, id LIMIT ?`, rows.Micros(now), string(karbor.RunRunning),
		string(karbor.RunQueued), limit)
	return found, rows.Failed("listing the delegations to give back", err)
}

// GaveBack forgets a returned delegation, or, with a time, has it tried again then.
func (s *Store) GaveBack(ctx context.Context, id string, again time.Time) error {
	return s.db.Write(ctx, "noting a delegation that was given back", func(t *rows.Tx) error {
		if again.IsZero() {
			return t.Exec(ctx, "DELETE FROM returned_delegations WHERE id = ?", id)
		}
		return t.Exec(ctx, "UPDATE returned_delegations SET try_at = ? WHERE id = ?", rows.Micros(again), id)
	})
}

func scanReturned(row *sql.Rows) (ReturnedDelegation, error) {
	var v ReturnedDelegation
	var text string
	err := row.Scan(&v.ID, &v.ScheduledOperationID, &text)
	v.Sealed = unsealable(text)
	return v, err
}

// LentDelegation is the delegation of a scheduled operation.
type LentDelegation struct {
	ScheduledOperationID string
	// Sealed is nil of one that can't be read any more.
	Sealed []byte

	// kept is as it lies in its column; "" of one that was read elsewhere.
	kept string
}

// column gives what the delegation's column holds.
func (d LentDelegation) column() any {
	if d.kept != "" {
		return d.kept
	}
	return rows.Sealed(d.Sealed)
}

// DueProbes gives delegations that are to be tried now; they are due again at a time.
func (s *Store) DueProbes(ctx context.Context, now, again time.Time, limit int) (due []LentDelegation, err error) {
	if some, err := s.any(ctx, "SELECT 1 FROM schedules WHERE probe_at <= ? LIMIT 1", rows.Micros(now)); err != nil || !some {
		return nil, rows.Failed("looking for delegations to try", err)
	}
	err = s.db.Write(ctx, "choosing the delegations to try", func(t *rows.Tx) error {
		found, err := rows.All(ctx, t, scanLent, `SELECT scheduled_operation_id, delegation FROM schedules
			WHERE probe_at <= ? ORDER BY probe_at LIMIT ?`+rows.ForUpdate, rows.Micros(now), limit)
		due = found
		for _, v := range found {
			if err == nil {
				err = t.Exec(ctx, "UPDATE schedules SET probe_at = ? WHERE scheduled_operation_id = ?", rows.Micros(again), v.ScheduledOperationID)
			}
		}
		return err
	})
	return due, err
}

// ProbeAgain has a delegation tried again at a time, unless there is another one by now.
func (s *Store) ProbeAgain(ctx context.Context, d LentDelegation, at time.Time) error {
	return s.db.Write(ctx, "choosing when a delegation is tried again", func(t *rows.Tx) error {
		return t.Exec(ctx, "UPDATE schedules SET probe_at = ? WHERE scheduled_operation_id = ? AND delegation = ?",
			rows.Micros(at), d.ScheduledOperationID, d.column())
	})
}

func scanLent(row *sql.Rows) (LentDelegation, error) {
	var v LentDelegation
	err := row.Scan(&v.ScheduledOperationID, &v.kept)
	v.Sealed = unsealable(v.kept)
	return v, err
}

// unsealable decodes a sealed text; nil stands for one that can't be read, which then
// can't be opened either.
func unsealable(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return raw
}

// NoteDelegation keeps what was found out about a delegation, unless there is another
// one by now.
func (s *Store) NoteDelegation(ctx context.Context, d LentDelegation, state karbor.DelegationState, reason string, at time.Time) error {
	return s.db.Write(ctx, "noting the state of a delegation", func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE schedules SET delegation_state = ?, delegation_reason = ?, probed_at = ?
			WHERE scheduled_operation_id = ? AND delegation = ?`, string(state), reason, rows.Micros(at), d.ScheduledOperationID, d.column())
	})
}
