package operations

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// ResourceRecord is how far an operation is with one resource.
type ResourceRecord struct {
	OperationID string
	Key         karbor.NodeKey
	State       karbor.ResourceState
	// Phase is the hook that runs now; empty before and after.
	Phase string
	// Done and Total are bytes; Total is 0 as long as it is not known.
	Done, Total int64
	// New and Stored are bytes, too: see karbor.Figures.
	New, Stored int64
	// Reason is what failed, for the tenant.
	Reason string
	// NewID is the id of the restored resource, once it exists.
	NewID string
	Parts map[string]string
	// NotKept lists what a restore could not bring back.
	NotKept []string
	// Mapped lists what a restore put something else in the place of, as asked for.
	Mapped []string
	// Started says that a hook has begun.
	Started bool
}

const resourceColumns = `operation_id, resource_key, state, phase, done, total, reason, new_id, parts, not_kept, started,
	new_bytes, stored_bytes, mapped`

// Resources gives the records of an operation, in the order of its graph.
func (s *Store) Resources(ctx context.Context, operationID string) ([]ResourceRecord, error) {
	records, err := rows.All(ctx, s.db, scanResource, "SELECT "+resourceColumns+
		" FROM operation_resources WHERE operation_id = ? ORDER BY position", operationID)
	return records, rows.Failed("reading the resources of the operation "+operationID, err)
}

// ResourcesOf gives the records of some of an operation's resources, in no special order.
func (s *Store) ResourcesOf(ctx context.Context, operationID string, keys []karbor.NodeKey) ([]ResourceRecord, error) {
	var out []ResourceRecord
	for part := range slices.Chunk(keys, rowsAtOnce) {
		args := []any{operationID}
		for _, key := range part {
			args = append(args, string(key))
		}
		records, err := rows.All(ctx, s.db, scanResource, "SELECT "+resourceColumns+
			" FROM operation_resources WHERE operation_id = ? AND resource_key IN ("+rows.Repeated("?", len(part))+")", args...)
		if err != nil {
			return nil, rows.Failed("reading some resources of the operation "+operationID, err)
		}
		out = append(out, records...)
	}
	return out, nil
}

// NewResources gives the records of those resources of an operation of which something new was
// made, in the order of its graph. They have Key, NewID and Parts only.
func (s *Store) NewResources(ctx context.Context, operationID string) ([]ResourceRecord, error) {
	records, err := rows.All(ctx, s.db, func(row *sql.Rows) (r ResourceRecord, err error) {
		r.OperationID = operationID
		return r, row.Scan((*string)(&r.Key), &r.NewID, rows.Document(&r.Parts))
	}, `SELECT resource_key, new_id, parts FROM operation_resources WHERE operation_id = ? AND (new_id <> '' OR parts <> 'null')
		ORDER BY position`, operationID)
	return records, rows.Failed("reading the new resources of the operation "+operationID, err)
}

// UpdateResource changes a record: change gets it as it is, and what it leaves is
// kept. An error of change is returned, and changes nothing.
func (s *Store) UpdateResource(ctx context.Context, operationID string, key karbor.NodeKey, change func(*ResourceRecord) error) error {
	doing := "recording the resource " + string(key) + " of the operation " + operationID
	return s.db.Write(ctx, doing, func(t *rows.Tx) error {
		if err := Claimed(ctx, t); err != nil {
			return err
		}
		r, err := rows.One(ctx, t, scanResource, "SELECT "+resourceColumns+
			" FROM operation_resources WHERE operation_id = ? AND resource_key = ?", operationID, string(key))
		if err != nil {
			return rows.Missing(err, "operation's resource", string(key))
		}
		if err := change(&r); err != nil {
			return err
		}
		err = t.Later(ctx, `UPDATE operation_resources SET state = ?, phase = ?, done = ?, total = ?, reason = ?,
			new_id = ?, parts = ?, not_kept = ?, started = ?, new_bytes = ?, stored_bytes = ?,
			mapped = ? WHERE operation_id = ? AND resource_key = ?`,
			string(r.State), r.Phase, r.Done, r.Total, r.Reason, r.NewID, rows.Document(r.Parts), rows.Document(r.NotKept),
			rows.Truth(r.Started), r.New, r.Stored, rows.Document(r.Mapped), operationID, string(key))
		return err
	})
}

// rowsAtOnce is the most rows that one statement makes or changes.
const rowsAtOnce = 16

// insertResourceRecords makes the rows of an operation's resources.
func insertResourceRecords(ctx context.Context, t *rows.Tx, o *Operation) error {
	const row = "(?, ?, ?, ?, '', 0, 0, '', '', 'null', 'null', 0)"
	position := 0
	for nodes := range slices.Chunk(o.Graph.Nodes(), rowsAtOnce) {
		args := make([]any, 0, 4*rowsAtOnce)
		for _, n := range nodes {
			args = append(args, o.ID, string(n.Key()), position, string(karbor.ResourcePending))
			position++
		}
		err := t.Later(ctx, `INSERT INTO operation_resources (operation_id, resource_key, position, state, phase,
			done, total, reason, new_id, parts, not_kept, started) VALUES `+rows.Repeated(row, len(nodes)), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// EndResources sets the last states of an operation's resources.
func EndResources(ctx context.Context, t *rows.Tx, id string, records map[karbor.NodeKey]RecordOutcome) error {
	alike := map[RecordOutcome][]string{}
	for _, key := range slices.Sorted(maps.Keys(records)) {
		alike[records[key]] = append(alike[records[key]], string(key))
	}
	for r, keys := range alike {
		for some := range slices.Chunk(keys, rowsAtOnce) {
			args := []any{string(r.State), r.Reason, id}
			for _, key := range some {
				args = append(args, key)
			}
			err := t.Later(ctx, `UPDATE operation_resources SET state = ?, reason = ?, phase = ''
				WHERE operation_id = ? AND resource_key IN (`+rows.Repeated("?", len(some))+")", args...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func scanResource(row *sql.Rows) (ResourceRecord, error) {
	var r ResourceRecord
	err := row.Scan(&r.OperationID, (*string)(&r.Key), (*string)(&r.State), &r.Phase, &r.Done, &r.Total, &r.Reason,
		&r.NewID, rows.Document(&r.Parts), rows.Document(&r.NotKept), &r.Started, &r.New, &r.Stored, rows.Document(&r.Mapped))
	return r, err
}

// Scratch reads what a hook has remembered into what v points to. It reports
// whether there is anything.
func (s *Store) Scratch(ctx context.Context, operationID string, key karbor.NodeKey, v any) (found bool, err error) {
	text, err := rows.One(ctx, s.db, rows.Text, "SELECT document FROM scratch WHERE operation_id = ? AND resource_key = ?",
		operationID, string(key))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), v)
	}
	return err == nil, rows.Failed("reading the scratch record of "+string(key), err)
}

var putScratch = "INSERT INTO scratch (operation_id, resource_key, document) VALUES (?, ?, ?)" +
	rows.Upsert("operation_id, resource_key", "document")

// SaveScratch keeps what a hook has to remember until its operation has ended.
func (s *Store) SaveScratch(ctx context.Context, operationID string, key karbor.NodeKey, v any) error {
	return s.db.Write(ctx, "saving the scratch record of "+string(key), func(t *rows.Tx) error {
		if err := Claimed(ctx, t); err != nil {
			return err
		}
		err := t.Exec(ctx, putScratch, operationID, string(key), rows.Document(v))
		return err
	})
}

// RecordOutcome is how an operation ended for one resource.
type RecordOutcome struct {
	State  karbor.ResourceState
	Reason string
}
