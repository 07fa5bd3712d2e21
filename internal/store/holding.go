package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Holding is something temporary in the cloud that an operation holds, or has held, of its
// tenant's quota.
type Holding struct {
	ID          string
	OperationID string
	Key         karbor.NodeKey
	ProjectID   string
	ProviderID  string
	// CheckpointID is the checkpoint that is made or restored.
	CheckpointID string
	protection.Holding
	HeldAt time.Time
	// ReleasedAt is when it was gone; zero if it is there.
	ReleasedAt time.Time
	// Left says, where the operation is over and could not remove it, why; "" elsewhere.
	Left string
}

// HoldingFilter narrows a list of holdings down. Empty members ask for nothing.
type HoldingFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID                 string
	OperationID, CheckpointID string
	Kind                      protection.HoldingKind
	// Held asks for what is there now (true), or is gone (false).
	Held *bool
}

func (f HoldingFilter) conditions() (scope, filter conditions) {
	scope.equal("project_id", f.ProjectID)
	filter.equal("operation_id", f.OperationID)
	filter.equal("checkpoint_id", f.CheckpointID)
	filter.equal("kind", string(f.Kind))
	if f.Held != nil {
		text := "released_at IS NOT NULL"
		if *f.Held {
			text = "released_at IS NULL"
		}
		filter.add(text)
	}
	return scope, filter
}

var holdings = listing{
	what:  "holding",
	table: "holdings",
	columns: `id, operation_id, resource_key, project_id, provider_id, checkpoint_id, kind, cloud_id, gibibytes, created_at, released_at,
		(SELECT reason FROM leftovers l WHERE l.operation_id = holdings.operation_id AND l.resource_key = holdings.resource_key)`,
	keys: map[string]string{"id": "id", "created_at": "created_at"},
}

// putHolding changes at most the size of one that is there.
var putHolding = `INSERT INTO holdings (id, operation_id, resource_key, project_id, provider_id, checkpoint_id, kind, cloud_id, gibibytes, created_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` + upsert("operation_id, kind, cloud_id", "gibibytes")

// Hold notes that something temporary is there. To note it again changes at most its size. The error is
// karbor.Conflict for an attempt that may write no more, and of an operation that is over but for what it
// has left: nothing would ever take the row for gone.
func (s *Store) Hold(ctx context.Context, operationID string, key karbor.NodeKey, h protection.Holding) error {
	return s.write(ctx, "noting what operation "+operationID+" holds", func(t *transaction) error {
		if err := claimed(ctx, t); err != nil {
			return err
		}
		o, err := one(ctx, t, func(rows *sql.Rows) (o Operation, err error) {
			return o, rows.Scan(&o.ProjectID, &o.ProviderID, &o.CheckpointID, timeColumn{&o.EndedAt})
		}, "SELECT project_id, provider_id, checkpoint_id, ended_at FROM operations WHERE id = ?", operationID)
		if err != nil {
			return missing(err, "operation", operationID)
		}
		if !o.EndedAt.IsZero() {
			n, err := one(ctx, t, scanInt, "SELECT COUNT(*) FROM leftovers WHERE operation_id = ? AND resource_key = ?", operationID, string(key))
			if err != nil {
				return err
			}
			if n == 0 {
				return karbor.Errorf(karbor.Conflict, "operation %s is over, and has left nothing of %s", operationID, key)
			}
		}
		return t.exec(ctx, putHolding, karbor.NewID(), operationID, string(key), o.ProjectID, o.ProviderID, o.CheckpointID,
			string(h.Kind), h.ID, h.GiB, micros(s.now()))
	})
}

// Release notes that something temporary is gone. What nobody has noted is no error.
func (s *Store) Release(ctx context.Context, operationID string, kind protection.HoldingKind, id string) error {
	return s.write(ctx, "noting what operation "+operationID+" holds no more", func(t *transaction) error {
		return t.exec(ctx, "UPDATE holdings SET released_at = ? WHERE operation_id = ? AND kind = ? AND cloud_id = ? AND released_at IS NULL",
			micros(s.now()), operationID, string(kind), id)
	})
}

// Holdings lists what operations hold or have held. The error is karbor.Invalid for an unknown
// sort key or marker.
func (s *Store) Holdings(ctx context.Context, f HoldingFilter, p Page) ([]Holding, error) {
	scope, filter := f.conditions()
	return list(ctx, s, holdings, scope, filter, p, scanHeld)
}

// Held is how much is held at once of one kind.
type Held struct{ Number, GiB int64 }

// HeldNow sums up what is there now, by kind, of what a filter asks for.
func (s *Store) HeldNow(ctx context.Context, f HoldingFilter) (map[protection.HoldingKind]Held, error) {
	there := true
	f.Held = &there
	scope, where := f.conditions()
	where.texts, where.args = append(where.texts, scope.texts...), append(where.args, scope.args...)
	type row struct {
		kind protection.HoldingKind
		Held
	}
	found, err := all(ctx, unprepared{s.reader}, func(rows *sql.Rows) (row, error) {
		var r row
		err := rows.Scan((*string)(&r.kind), &r.Number, &r.GiB)
		return r, err
	}, "SELECT kind, COUNT(*), COALESCE(SUM(gibibytes), 0) FROM holdings WHERE "+where.String()+" GROUP BY kind", where.args...)
	out := map[protection.HoldingKind]Held{}
	for _, r := range found {
		out[r.kind] = r.Held
	}
	return out, failed("summing up what operations hold", err)
}

// releaseHoldings notes, as an operation ends, that what it held is gone but for what is left
// over: a process may have died between the removal and the note of it.
func releaseHoldings(ctx context.Context, t *transaction, operationID string, now int64) error {
	return t.later(ctx, `UPDATE holdings SET released_at = ? WHERE operation_id = ? AND released_at IS NULL
		AND resource_key NOT IN (SELECT resource_key FROM leftovers WHERE operation_id = ?)`, now, operationID, operationID)
}

func scanHeld(rows *sql.Rows) (Holding, error) {
	var h Holding
	var left sql.NullString
	err := rows.Scan(&h.ID, &h.OperationID, (*string)(&h.Key), &h.ProjectID, &h.ProviderID, &h.CheckpointID, (*string)(&h.Kind),
		&h.Holding.ID, &h.GiB, timeColumn{&h.HeldAt}, timeColumn{&h.ReleasedAt}, &left)
	if h.ReleasedAt.IsZero() {
		h.Left = left.String
	}
	return h, err
}
