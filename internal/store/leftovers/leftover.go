// Package leftovers keeps what operations hold in the cloud, and what those that are over
// could not remove from it.
package leftovers

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/credentials"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps leftovers in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the leftovers of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Leftover is what an operation that is over made in the cloud for one resource, and
// could not remove.
type Leftover struct {
	OperationID string
	Key         karbor.NodeKey
	ProjectID   string
	ProviderID  string
	// CheckpointID is the checkpoint that was made or restored.
	CheckpointID string
	// Reason is why it could not be removed the last time, for the tenant.
	Reason string
	// Tries counts the tries to remove it since the operation ended; TriedAt is when
	// the last one began, or when the operation ended.
	Tries              int64
	TriedAt, CreatedAt time.Time
	// GivenUp says that it is not tried again.
	GivenUp bool
}

const leftoverColumns = `operation_id, resource_key, project_id, provider_id, checkpoint_id, reason, tries, tried_at,
	created_at, given_up`

// restOfLeftover is how much longer a leftover rests after each of its first tries, in
// microseconds: in all one minute, two, four, and so on up to an hour. What was in
// transition when its operation ended can go soon; what nobody can remove is not asked
// for all day.
const restOfLeftover = `CASE tries WHEN 0 THEN 0 WHEN 1 THEN 60000000 WHEN 2 THEN 180000000 WHEN 3 THEN 420000000
	WHEN 4 THEN 900000000 WHEN 5 THEN 1860000000 ELSE 3540000000 END`

// DueLeftovers lists those that were last tried before a time, that nobody tries now, and that are not
// given up: at most so many of each project, and each project's first before the second of any, so that
// what one cloud does not let go keeps nobody else waiting; among those the longest ago first. One that has been
// tried in vain is left alone longer each time, up to 59 minutes.
func (s *Store) DueLeftovers(ctx context.Context, before time.Time, ofProject, limit int) ([]Leftover, error) {
	now, err := s.db.Moment(ctx)
	if err != nil {
		return nil, err
	}
	found, err := rows.All(ctx, s.db, scanLeftover, "SELECT "+leftoverColumns+" FROM (SELECT "+leftoverColumns+
		`, ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY tried_at, operation_id, resource_key) AS turn
		FROM leftovers WHERE given_up = 0 AND claimed_until <= ? AND tried_at < ? AND tried_at + `+restOfLeftover+
		" < ?) due WHERE turn <= ? ORDER BY turn, tried_at, operation_id, resource_key LIMIT ?",
		rows.Micros(now), rows.Micros(before), rows.Micros(before), ofProject, limit)
	return found, rows.Failed("listing what is left in the cloud", err)
}

// LeftoversOf lists those of the operations that made or restored a checkpoint, given
// up or not.
func (s *Store) LeftoversOf(ctx context.Context, providerID, checkpointID string) ([]Leftover, error) {
	found, err := rows.All(ctx, s.db, scanLeftover, "SELECT "+leftoverColumns+
		" FROM leftovers WHERE provider_id = ? AND checkpoint_id = ? ORDER BY operation_id, resource_key", providerID, checkpointID)
	return found, rows.Failed("listing what is left in the cloud of checkpoint "+checkpointID, err)
}

// Leftovers lists those of all projects that come behind one in the order of
// operation and resource; the zero value stands for the start.
func (s *Store) Leftovers(ctx context.Context, behind Leftover, limit int) ([]Leftover, error) {
	found, err := rows.All(ctx, s.db, scanLeftover, "SELECT "+leftoverColumns+
		" FROM leftovers WHERE operation_id > ? OR operation_id = ? AND resource_key > ? ORDER BY operation_id, resource_key LIMIT ?",
		behind.OperationID, behind.OperationID, string(behind.Key), limit)
	return found, rows.Failed("listing what is left in the cloud", err)
}

// HastenLeftovers has those of an operation that are not given up tried again soon, and
// gives their number.
func (s *Store) HastenLeftovers(ctx context.Context, operationID string) (n int64, err error) {
	err = s.db.Write(ctx, "having what operation "+operationID+" left tried again", func(t *rows.Tx) (err error) {
		n, err = t.Changed(ctx, "UPDATE leftovers SET tried_at = 0 WHERE operation_id = ? AND given_up = 0", operationID)
		return err
	})
	return n, err
}

// ForgetLeftovers removes those of an operation that are given up, with their scratch
// records, and gives their number.
func (s *Store) ForgetLeftovers(ctx context.Context, operationID string) (n int64, err error) {
	err = s.db.Write(ctx, "forgetting what operation "+operationID+" left", func(t *rows.Tx) (err error) {
		err = t.Exec(ctx, `DELETE FROM scratch WHERE operation_id = ? AND resource_key IN
			(SELECT resource_key FROM leftovers WHERE operation_id = ? AND given_up = 1)`, operationID, operationID)
		if err != nil {
			return err
		}
		n, err = t.Changed(ctx, "DELETE FROM leftovers WHERE operation_id = ? AND given_up = 1", operationID)
		if err != nil {
			return err
		}
		return ReleaseHoldings(ctx, t, operationID, rows.Micros(s.db.Now()))
	})
	return n, err
}

// ClaimLeftover takes a leftover as it was listed for a try that begins now: for a time, which
// HoldLeftover extends, nobody else does. It gives it as it is then, and reports whether nobody else has
// taken it since.
func (s *Store) ClaimLeftover(ctx context.Context, l Leftover, lasts time.Duration) (Leftover, bool, error) {
	now, err := s.db.Moment(ctx)
	if err != nil {
		return l, false, err
	}
	tried := s.db.Now().UTC().Truncate(time.Microsecond)
	var n int64
	err = s.db.Write(ctx, "taking what is left in the cloud", func(t *rows.Tx) (err error) {
		n, err = t.Changed(ctx, `UPDATE leftovers SET tries = tries + 1, tried_at = ?, claimed_until = ?
			WHERE operation_id = ? AND resource_key = ? AND tried_at = ? AND tries = ? AND claimed_until <= ?`,
			rows.Micros(tried), rows.Micros(now.Add(lasts)), l.OperationID, string(l.Key), rows.Micros(l.TriedAt), l.Tries, rows.Micros(now))
		return err
	})
	if n == 1 {
		l.Tries, l.TriedAt = l.Tries+1, tried
	}
	return l, n == 1, err
}

// HoldLeftover has a try that goes on keep its leftover for a time from now on. It reports whether it is
// still this one's: nobody else has taken it, and it is there.
func (s *Store) HoldLeftover(ctx context.Context, l Leftover, lasts time.Duration) (bool, error) {
	now, err := s.db.Moment(ctx)
	if err != nil {
		return false, err
	}
	var n int64
	err = s.db.Write(ctx, "keeping what is left in the cloud for a try", func(t *rows.Tx) (err error) {
		n, err = t.Changed(ctx, "UPDATE leftovers SET claimed_until = ? WHERE operation_id = ? AND resource_key = ? AND tries = ?",
			rows.Micros(now.Add(lasts)), l.OperationID, string(l.Key), l.Tries)
		return err
	})
	return n == 1, err
}

// KeepLeftover notes why a try has failed, which is over, and whether it was the last. With the last
// one of an operation its delegation is erased; revoke keeps it among Revocations. A try whose
// leftover another has taken notes nothing.
func (s *Store) KeepLeftover(ctx context.Context, l Leftover, revoke bool) error {
	return s.db.Write(ctx, "noting what is left in the cloud", func(t *rows.Tx) error {
		n, err := t.Changed(ctx, `UPDATE leftovers SET reason = ?, given_up = ?, claimed_until = 0
			WHERE operation_id = ? AND resource_key = ? AND tries = ?`, l.Reason, rows.Truth(l.GivenUp), l.OperationID, string(l.Key), l.Tries)
		if err != nil || n == 0 || !l.GivenUp {
			return err
		}
		return releaseDelegation(ctx, t, l.OperationID, revoke)
	})
}

// RemoveLeftover forgets a leftover that is gone from the cloud, with its scratch
// record, and, as KeepLeftover does, the delegation of an operation that has no other.
func (s *Store) RemoveLeftover(ctx context.Context, l Leftover, revoke bool) error {
	return s.db.Write(ctx, "forgetting what is no longer left in the cloud", func(t *rows.Tx) error {
		for _, table := range []string{"leftovers", "scratch"} {
			err := t.Exec(ctx, "DELETE FROM "+table+" WHERE operation_id = ? AND resource_key = ?", l.OperationID, string(l.Key))
			if err != nil {
				return err
			}
		}
		if err := ReleaseHoldings(ctx, t, l.OperationID, rows.Micros(s.db.Now())); err != nil {
			return err
		}
		return releaseDelegation(ctx, t, l.OperationID, revoke)
	})
}

// RenewLeftovers gives an operation that has leftovers another delegation, and has
// all of them tried again.
func (s *Store) RenewLeftovers(ctx context.Context, operationID string, delegation []byte) error {
	return s.db.Write(ctx, "renewing the delegation of operation "+operationID, func(t *rows.Tx) error {
		err := t.Exec(ctx, "UPDATE operations SET delegation = ? WHERE id = ? AND ended_at IS NOT NULL",
			rows.Sealed(delegation), operationID)
		if err != nil {
			return err
		}
		return t.Exec(ctx, "UPDATE leftovers SET given_up = 0 WHERE operation_id = ?", operationID)
	})
}

// Add keeps what the operation of a leftover could not remove, by resource with
// the reason, and erases the scratch records of all other resources.
func Add(ctx context.Context, t *rows.Tx, of Leftover, left map[karbor.NodeKey]string, now int64) error {
	for key, reason := range left {
		err := t.Exec(ctx, "INSERT INTO leftovers ("+leftoverColumns+") VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, 0)",
			of.OperationID, string(key), of.ProjectID, of.ProviderID, of.CheckpointID, reason, now, now)
		if err != nil {
			return err
		}
	}
	return t.Exec(ctx, `DELETE FROM scratch WHERE operation_id = ?
		AND resource_key NOT IN (SELECT resource_key FROM leftovers WHERE operation_id = ?)`, of.OperationID, of.OperationID)
}

// releaseDelegation erases the delegation of an operation that nothing is tried for
// any more.
func releaseDelegation(ctx context.Context, t *rows.Tx, operationID string, revoke bool) error {
	n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM leftovers WHERE operation_id = ? AND given_up = 0", operationID)
	if err != nil || n > 0 {
		return err
	}
	if revoke {
		// One that is still to be revoked was renewed since, and ends by itself.
		if err := t.Exec(ctx, "DELETE FROM revocations WHERE operation_id = ?", operationID); err != nil {
			return err
		}
		if err := credentials.AddRevocation(ctx, t, operationID); err != nil {
			return err
		}
	}
	return t.Exec(ctx, "UPDATE operations SET delegation = NULL WHERE id = ?", operationID)
}

func scanLeftover(row *sql.Rows) (Leftover, error) {
	var l Leftover
	err := row.Scan(&l.OperationID, (*string)(&l.Key), &l.ProjectID, &l.ProviderID, &l.CheckpointID, &l.Reason, &l.Tries,
		rows.Time(&l.TriedAt), rows.Time(&l.CreatedAt), &l.GivenUp)
	return l, err
}
