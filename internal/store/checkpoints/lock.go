package checkpoints

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// BankLock says how a bank has locked what a checkpoint needs.
type BankLock struct {
	// Until is the end of the lock of that which is locked least, by the bank's clock; zero if
	// not all was ever locked. It may be over.
	Until time.Time
	// Objects is how many objects are locked.
	Objects int
	// Reason is a sentence that says why the last try has failed; "" if it did not.
	Reason string
	// TriedAt is when it was last locked, or tried.
	TriedAt time.Time
}

// HeldCheckpoint is a checkpoint that somebody holds now.
type HeldCheckpoint struct {
	ProjectID, CheckpointID string
	// Until is the end of the hold; zero for none.
	Until time.Time
	// Lock is the zero value for one that was never locked.
	Lock BankLock
}

// HeldCheckpoints lists the available checkpoints in one bank of a provider that are held at a
// time, by id, from behind one on. target is the name of a copy target, or "" for the
// provider's own bank.
func (s *Store) HeldCheckpoints(ctx context.Context, providerID, target string, now time.Time, behind string, limit int) ([]HeldCheckpoint, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (HeldCheckpoint, error) {
		var h HeldCheckpoint
		var objects sql.NullInt64
		var reason sql.NullString
		err := row.Scan(&h.ProjectID, &h.CheckpointID, rows.Time(&h.Until), rows.Time(&h.Lock.Until), &objects, &reason, rows.Time(&h.Lock.TriedAt))
		h.Lock.Objects, h.Lock.Reason = int(objects.Int64), reason.String
		return h, err
	}, `SELECT k.project_id, k.checkpoint_id, k.held_until, l.locked_until, l.objects, l.reason, l.tried_at FROM keepings k
		JOIN checkpoints c ON c.id = k.checkpoint_id AND c.provider_id = k.provider_id
		LEFT JOIN checkpoint_locks l ON l.checkpoint_id = k.checkpoint_id AND l.provider_id = k.provider_id
		WHERE k.provider_id = ? AND k.held_at > 0 AND (k.held_until IS NULL OR k.held_until > ?) AND k.checkpoint_id > ?
			AND c.deleted = 0 AND c.status = ? AND c.bank = ? ORDER BY k.checkpoint_id LIMIT ?`,
		providerID, rows.Micros(now), behind, string(karbor.CheckpointAvailable), target, limit)
	return found, rows.Failed("listing the checkpoints that are held", err)
}

var upsertLock = `INSERT INTO checkpoint_locks (checkpoint_id, provider_id, project_id, locked_until, objects, reason, tried_at)
	VALUES (?, ?, ?, ?, ?, ?, ?)` + rows.Upsert("checkpoint_id, provider_id", "locked_until", "objects", "reason", "tried_at")

// NoteLock keeps how the bank has locked what a checkpoint needs.
func (s *Store) NoteLock(ctx context.Context, projectID, providerID, id string, l BankLock) error {
	return s.db.Write(ctx, "noting that the checkpoint "+id+" is locked", func(t *rows.Tx) error {
		return t.Exec(ctx, upsertLock, id, providerID, projectID, rows.MicrosOrNull(l.Until), l.Objects, l.Reason, rows.Micros(l.TriedAt))
	})
}

// Locks tells how the banks of a provider have locked what checkpoints need, by id. One of
// which nothing is known is left out.
func (s *Store) Locks(ctx context.Context, providerID string, ids []string) (map[string]BankLock, error) {
	out := map[string]BankLock{}
	if len(ids) == 0 {
		return out, nil
	}
	args := []any{providerID}
	for _, id := range ids {
		args = append(args, id)
	}
	type entry struct {
		id string
		BankLock
	}
	found, err := rows.All(ctx, s.db.Once(), func(row *sql.Rows) (entry, error) {
		var r entry
		err := row.Scan(&r.id, rows.Time(&r.Until), &r.Objects, &r.Reason, rows.Time(&r.TriedAt))
		return r, err
	}, "SELECT checkpoint_id, locked_until, objects, reason, tried_at FROM checkpoint_locks WHERE provider_id = ? AND checkpoint_id IN ("+rows.Repeated("?", len(ids))+")", args...)
	for _, r := range found {
		out[r.id] = r.BankLock
	}
	return out, rows.Failed("reading how checkpoints are locked", err)
}
