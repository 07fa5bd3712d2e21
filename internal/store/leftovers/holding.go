package leftovers

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
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
	// Holding is as it was noted. Where the cloud's id is not known, Asked is not empty, and ID is "".
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
	// NoDrills leaves out what drills restore.
	NoDrills bool
}

func (f HoldingFilter) conditions() (scope, filter rows.Conditions) {
	scope.Equal("project_id", f.ProjectID)
	filter.Equal("operation_id", f.OperationID)
	filter.Equal("checkpoint_id", f.CheckpointID)
	filter.Equal("kind", string(f.Kind))
	if f.Held != nil {
		text := "released_at IS NOT NULL"
		if *f.Held {
			text = "released_at IS NULL"
		}
		filter.Add(text)
	}
	if f.NoDrills {
		filter.Add("of_drill = 0")
	}
	return scope, filter
}

var holdings = rows.Listing{
	What:  "holding",
	Table: "holdings",
	Columns: `id, operation_id, resource_key, project_id, provider_id, checkpoint_id, kind, cloud_id, gibibytes, created_at, released_at, of_drill, asked,
		(SELECT reason FROM leftovers l WHERE l.operation_id = holdings.operation_id AND l.resource_key = holdings.resource_key)`,
	Keys: map[string]string{"id": "id", "created_at": "created_at"},
}

// putHolding changes at most the size of one that is there.
var putHolding = `INSERT INTO holdings (id, operation_id, resource_key, project_id, provider_id, checkpoint_id, kind, cloud_id, gibibytes, created_at, of_drill, asked)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` + rows.Upsert("operation_id, kind, cloud_id", "gibibytes")

// Hold notes that something temporary is there, or that the cloud is about to be asked for it. To note it
// again changes at most its size, and its id where that was not known. The error is
// karbor.Conflict for an attempt that may write no more, and of an operation that is over but for what it
// has left: nothing would ever take the row for gone.
func (s *Store) Hold(ctx context.Context, operationID string, key karbor.NodeKey, h protection.Holding) error {
	if h.Node != "" {
		key = h.Node
	}
	return s.db.Write(ctx, "noting what operation "+operationID+" holds", func(t *rows.Tx) error {
		if err := operations.Claimed(ctx, t); err != nil {
			return err
		}
		o, err := holder(ctx, t, operationID, key)
		if err != nil {
			return err
		}
		id := h.ID
		if h.Asked != "" {
			id = placeholder(key, h.Asked)
			if h.ID != "" {
				if err := settle(ctx, t, operationID, h.Kind, id, h.ID); err != nil {
					return err
				}
				id = h.ID
			}
		}
		return t.Exec(ctx, putHolding, karbor.NewID(), operationID, string(key), o.ProjectID, o.ProviderID, o.CheckpointID,
			string(h.Kind), id, h.GiB, rows.Micros(s.db.Now()), rows.Truth(h.Drill), rows.Truth(h.ID == ""))
	})
}

// holder gives the operation that holds something for a node, if it may.
func holder(ctx context.Context, t *rows.Tx, operationID string, key karbor.NodeKey) (operations.Operation, error) {
	o, err := rows.One(ctx, t, func(row *sql.Rows) (o operations.Operation, err error) {
		return o, row.Scan(&o.ProjectID, &o.ProviderID, &o.CheckpointID, rows.Time(&o.EndedAt))
	}, "SELECT project_id, provider_id, checkpoint_id, ended_at FROM operations WHERE id = ?", operationID)
	if err != nil || o.EndedAt.IsZero() {
		return o, rows.Missing(err, "operation", operationID)
	}
	n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM leftovers WHERE operation_id = ? AND resource_key = ?", operationID, string(key))
	if err == nil && n == 0 {
		err = karbor.Errorf(karbor.Conflict, "operation %s is over, and has left nothing of %s", operationID, key)
	}
	return o, err
}

// placeholder stands for the id of what the cloud has not given one yet.
func placeholder(key karbor.NodeKey, asked string) string {
	sum := sha256.Sum256([]byte(string(key) + "\n" + asked))
	return hex.EncodeToString(sum[:16])
}

// settle puts the id of a thing in the place of the placeholder, if that is there.
func settle(ctx context.Context, t *rows.Tx, operationID string, kind protection.HoldingKind, placeholder, id string) error {
	n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM holdings WHERE operation_id = ? AND kind = ? AND cloud_id = ?", operationID, string(kind), id)
	if err != nil {
		return err
	}
	const which = " WHERE operation_id = ? AND kind = ? AND cloud_id = ? AND asked = 1"
	if n > 0 { // an earlier run has noted it
		return t.Exec(ctx, "DELETE FROM holdings"+which, operationID, string(kind), placeholder)
	}
	return t.Exec(ctx, "UPDATE holdings SET cloud_id = ?, asked = 0"+which, id, operationID, string(kind), placeholder)
}

// ReleaseDrilled notes that what a drill has restored for a node, known by its id or not, is gone.
func (s *Store) ReleaseDrilled(ctx context.Context, operationID string, key karbor.NodeKey) error {
	return s.db.Write(ctx, "noting what drill "+operationID+" holds no more", func(t *rows.Tx) error {
		return t.Exec(ctx, "UPDATE holdings SET released_at = ? WHERE operation_id = ? AND resource_key = ? AND of_drill = 1 AND released_at IS NULL",
			rows.Micros(s.db.Now()), operationID, string(key))
	})
}

// Release notes that something temporary is gone. What nobody has noted is no error.
func (s *Store) Release(ctx context.Context, operationID string, kind protection.HoldingKind, id string) error {
	return s.db.Write(ctx, "noting what operation "+operationID+" holds no more", func(t *rows.Tx) error {
		return t.Exec(ctx, "UPDATE holdings SET released_at = ? WHERE operation_id = ? AND kind = ? AND cloud_id = ? AND released_at IS NULL",
			rows.Micros(s.db.Now()), operationID, string(kind), id)
	})
}

// Holdings lists what operations hold or have held. The error is karbor.Invalid for an unknown
// sort key or marker.
func (s *Store) Holdings(ctx context.Context, f HoldingFilter, p rows.Page) ([]Holding, error) {
	scope, filter := f.conditions()
	return rows.List(ctx, s.db, holdings, scope, filter, p, scanHeld)
}

// Held is how much is held at once of one kind.
type Held struct{ Number, GiB int64 }

// HeldNow sums up what is there now, by kind, of what a filter asks for.
func (s *Store) HeldNow(ctx context.Context, f HoldingFilter) (map[protection.HoldingKind]Held, error) {
	there := true
	f.Held = &there
	scope, where := f.conditions()
	where.Join(scope)
	type entry struct {
		kind protection.HoldingKind
		Held
	}
	found, err := rows.All(ctx, s.db.Once(), func(row *sql.Rows) (entry, error) {
		var r entry
		err := row.Scan((*string)(&r.kind), &r.Number, &r.GiB)
		return r, err
	}, "SELECT kind, COUNT(*), COALESCE(SUM(gibibytes), 0) FROM holdings WHERE "+where.String()+" GROUP BY kind", where.Args...)
	out := map[protection.HoldingKind]Held{}
	for _, r := range found {
		out[r.kind] = r.Held
	}
	return out, rows.Failed("summing up what operations hold", err)
}

// Holding gives the nodes for which an operation holds something that nobody has noted to be gone.
func (s *Store) Holding(ctx context.Context, operationID string) ([]karbor.NodeKey, error) {
	keys, err := rows.All(ctx, s.db.Once(), func(row *sql.Rows) (key karbor.NodeKey, err error) {
		return key, row.Scan((*string)(&key))
	}, "SELECT DISTINCT resource_key FROM holdings WHERE operation_id = ? AND released_at IS NULL ORDER BY resource_key", operationID)
	return keys, rows.Failed("looking for what operation "+operationID+" holds", err)
}

// ReleaseHoldings notes, as an operation ends, that what it held is gone but for what is left
// over: a process may have died between the removal and the note of it.
func ReleaseHoldings(ctx context.Context, t *rows.Tx, operationID string, now int64) error {
	return t.Later(ctx, `UPDATE holdings SET released_at = ? WHERE operation_id = ? AND released_at IS NULL
		AND resource_key NOT IN (SELECT resource_key FROM leftovers WHERE operation_id = ?)`, now, operationID, operationID)
}

func scanHeld(row *sql.Rows) (Holding, error) {
	var h Holding
	var left sql.NullString
	var asked bool
	err := row.Scan(&h.ID, &h.OperationID, (*string)(&h.Key), &h.ProjectID, &h.ProviderID, &h.CheckpointID, (*string)(&h.Kind),
		&h.Holding.ID, &h.GiB, rows.Time(&h.HeldAt), rows.Time(&h.ReleasedAt), &h.Drill, &asked, &left)
	if asked {
		h.Asked, h.Holding.ID = h.Holding.ID, ""
	}
	if h.ReleasedAt.IsZero() {
		h.Left = left.String
	}
	return h, err
}
