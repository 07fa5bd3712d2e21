package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/karbor/karbor"
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
	found, err := all(ctx, s.reader, func(rows *sql.Rows) (HeldCheckpoint, error) {
		var h HeldCheckpoint
		var objects sql.NullInt64
		var reason sql.NullString
		err := rows.Scan(&h.ProjectID, &h.CheckpointID, timeColumn{&h.Until}, timeColumn{&h.Lock.Until}, &objects, &reason, timeColumn{&h.Lock.TriedAt})
		h.Lock.Objects, h.Lock.Reason = int(objects.Int64), reason.String
		return h, err
	}, `SELECT k.project_id, k.checkpoint_id, k.held_until, l.locked_until, l.objects, l.reason, l.tried_at FROM keepings k
		JOIN checkpoints c ON c.id = k.checkpoint_id AND c.provider_id = k.provider_id
		LEFT JOIN checkpoint_locks l ON l.checkpoint_id = k.checkpoint_id AND l.provider_id = k.provider_id
		WHERE k.provider_id = ? AND k.held_at > 0 AND (k.held_until IS NULL OR k.held_until > ?) AND k.checkpoint_id > ?
			AND c.deleted = 0 AND c.status = ? AND c.bank = ? ORDER BY k.checkpoint_id LIMIT ?`,
		providerID, micros(now), behind, string(karbor.CheckpointAvailable), target, limit)
	return found, failed("listing the checkpoints that are held", err)
}

var upsertLock = `INSERT INTO checkpoint_locks (checkpoint_id, provider_id, project_id, locked_until, objects, reason, tried_at)
	VALUES (?, ?, ?, ?, ?, ?, ?)` + upsert("checkpoint_id, provider_id", "locked_until", "objects", "reason", "tried_at")

// NoteLock keeps how the bank has locked what a checkpoint needs.
func (s *Store) NoteLock(ctx context.Context, projectID, providerID, id string, l BankLock) error {
	return s.write(ctx, "noting that the checkpoint "+id+" is locked", func(t *transaction) error {
		return t.exec(ctx, upsertLock, id, providerID, projectID, microsOrNull(l.Until), l.Objects, l.Reason, micros(l.TriedAt))
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
	type row struct {
		id string
		BankLock
	}
	found, err := all(ctx, unprepared{s.reader}, func(rows *sql.Rows) (row, error) {
		var r row
		err := rows.Scan(&r.id, timeColumn{&r.Until}, &r.Objects, &r.Reason, timeColumn{&r.TriedAt})
		return r, err
	}, "SELECT checkpoint_id, locked_until, objects, reason, tried_at FROM checkpoint_locks WHERE provider_id = ? AND checkpoint_id IN (?"+
		strings.Repeat(", ?", len(ids)-1)+")", args...)
	for _, r := range found {
		out[r.id] = r.BankLock
	}
	return out, failed("reading how checkpoints are locked", err)
}
