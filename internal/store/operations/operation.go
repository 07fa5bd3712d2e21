// Package operations keeps accepted operations: the outbox, how far each resource is, their
// logs, what is asked of them, and which attempt of a step may write.
package operations

import (
	"context"
	"database/sql"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps operations in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the operations of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Operation is an accepted operation.
type Operation struct {
	ID           string
	Type         karbor.OperationType
	ProjectID    string
	ProviderID   string
	CheckpointID string
	RestoreID    string
	PlanID       string
	// Graph holds the resources that it works on.
	Graph      *karbor.Graph
	Parameters karbor.Parameters
	// Choices are those of a restore.
	Choices karbor.RestoreChoices
	// Delegation is what lets it act for the tenant, sealed by who made it; nil
	// if there is none. EndOperation erases it.
	Delegation []byte
	// RequestID is the id of the request that asked for it, or "".
	RequestID string
	// Bank is the copy target in whose bank it works; "" is the provider's own bank.
	Bank      string
	CreatedAt time.Time
	// EndedAt is zero while it runs.
	EndedAt time.Time
	// Dispatched says that the engine has it, and Waiting that it has no place yet among those
	// that are at work, and so is not in the outbox: see GivePlaces.
	Dispatched, Waiting bool
}

const operationColumns = `id, operation_type, project_id, provider_id, checkpoint_id, restore_id, plan_id, graph,
	parameters, choices, delegation, request_id, bank, dispatched, created_at, ended_at`

// Target names what an operation is about: a checkpoint or a restore.
type Target struct {
	CheckpointID string
	RestoreID    string
}

// Undispatched lists the outbox: the ids of operations that the engine may not
// have yet, oldest first.
func (s *Store) Undispatched(ctx context.Context, limit int) ([]string, error) {
	// SQLite compiles a statement anew each time that a parameter of its LIMIT is set.
	ids, err := rows.All(ctx, s.db, rows.Text, `SELECT id FROM operations WHERE dispatched = 0 AND ended_at IS NULL
		ORDER BY created_at, id LIMIT `+strconv.Itoa(limit))
	return ids, rows.Failed("reading the outbox", err)
}

// Dispatched takes an operation out of the outbox. A repeat is harmless, and so is
// an unknown one.
func (s *Store) Dispatched(ctx context.Context, id string) error {
	return s.db.Write(ctx, "taking the operation "+id+" out of the outbox", func(t *rows.Tx) error {
		err := t.Exec(ctx, "UPDATE operations SET dispatched = 1 WHERE id = ?", id)
		return err
	})
}

// The values of dispatched. What is in the outbox, or handed over, has a place among the
// operations that are at work until it has ended.
const (
	inOutbox   = 0
	handedOver = 1
	forgotten  = 2
	waiting    = 3
)

// stage gives the value of a new operation.
func (o *Operation) stage() int {
	switch {
	case o.Dispatched:
		return handedOver
	case o.Waiting:
		return waiting
	default:
		return inOutbox
	}
}

// setStage is stage the other way round.
func (o *Operation) setStage(value int) {
	o.Dispatched, o.Waiting = value == handedOver || value == forgotten, value == waiting
}

// Rememberable lists operations that ended before a time, and that the engine may
// not have forgotten yet.
func (s *Store) Rememberable(ctx context.Context, before time.Time, limit int) ([]string, error) {
	ids, err := rows.All(ctx, s.db, rows.Text, `SELECT id FROM operations WHERE dispatched IN (0, 1, 3) AND ended_at < ?
		ORDER BY ended_at, id LIMIT `+strconv.Itoa(limit), rows.Micros(before))
	return ids, rows.Failed("listing the operations that are over", err)
}

// Forgotten notes that the engine has forgotten operations.
func (s *Store) Forgotten(ctx context.Context, ids []string) error {
	return s.db.Write(ctx, "noting what the engine has forgotten", func(t *rows.Tx) error {
		for _, id := range ids {
			if err := t.Exec(ctx, "UPDATE operations SET dispatched = ? WHERE id = ? AND ended_at IS NOT NULL", forgotten, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// RunningOperations lists the ids of the operations that have not ended, oldest
// first.
func (s *Store) RunningOperations(ctx context.Context) ([]string, error) {
	ids, err := rows.All(ctx, s.db, rows.Text,
		"SELECT id FROM operations WHERE ended_at IS NULL ORDER BY created_at, id")
	return ids, rows.Failed("listing the running operations", err)
}

// OperationsAtWork lists the ids of the operations that have a place and have not ended, oldest
// first: the engine has them, or they are in the outbox.
func (s *Store) OperationsAtWork(ctx context.Context) ([]string, error) {
	ids, err := rows.All(ctx, s.db, rows.Text,
		"SELECT id FROM operations WHERE dispatched IN (0, 1) AND ended_at IS NULL ORDER BY created_at, id")
	return ids, rows.Failed("listing the operations that are at work", err)
}

// Operation gives an operation.
func (s *Store) Operation(ctx context.Context, id string) (Operation, error) {
	return Get(ctx, s.db, id)
}

// Get gives an operation as Store.Operation does, by a Queryer that may be a transaction.
func Get(ctx context.Context, q rows.Queryer, id string) (Operation, error) {
	o, err := rows.One(ctx, q, scanOperation, "SELECT "+operationColumns+" FROM operations WHERE id = ?", id)
	if err != nil {
		return Operation{}, rows.Missing(err, "operation", id)
	}
	return o, nil
}

const headColumns = `id, operation_type, project_id, provider_id, checkpoint_id, restore_id, plan_id,
	delegation, request_id, bank, dispatched, created_at, ended_at`

// OperationHead gives what the columns of an operation hold: its graph, its parameters and its
// choices are empty. It is for one of which these can't be read.
func (s *Store) OperationHead(ctx context.Context, id string) (Operation, error) {
	o, err := rows.One(ctx, s.db, scanHead, "SELECT "+headColumns+" FROM operations WHERE id = ?", id)
	if err != nil {
		return Operation{}, rows.Missing(err, "operation", id)
	}
	return o, nil
}

// OperationOf gives the newest operation of a restore, or the newest one that
// makes or deletes a checkpoint, in a project, or in any if projectID is "".
func (s *Store) OperationOf(ctx context.Context, projectID string, target Target) (Operation, error) {
	column, id, what := "checkpoint_id", target.CheckpointID, "operation of the checkpoint"
	if target.RestoreID != "" {
		column, id, what = "restore_id", target.RestoreID, "operation of the restore"
	}
	o, err := rows.One(ctx, s.db, scanOperation, "SELECT "+operationColumns+" FROM operations WHERE "+column+
		` = ? AND (project_id = ? OR ? = '') AND (operation_type IN (?, ?) OR ? <> '')
		ORDER BY created_at DESC, id DESC LIMIT 1`,
		id, projectID, projectID, string(karbor.Protect), string(karbor.Delete), target.RestoreID)
	if err != nil {
		return Operation{}, rows.Missing(err, what, id)
	}
	return o, nil
}

func scanHead(row *sql.Rows) (Operation, error) {
	var o Operation
	var delegation sql.NullString
	var dispatched int
	err := row.Scan(&o.ID, (*string)(&o.Type), &o.ProjectID, &o.ProviderID, &o.CheckpointID, &o.RestoreID, &o.PlanID,
		&delegation, &o.RequestID, &o.Bank, &dispatched, rows.Time(&o.CreatedAt), rows.Time(&o.EndedAt))
	o.setStage(dispatched)
	if delegation.Valid {
		// One that can't be read lets nobody in, and is erased at the end.
		o.Delegation, _ = base64.StdEncoding.DecodeString(delegation.String)
	}
	return o, err
}

func scanOperation(row *sql.Rows) (Operation, error) {
	var o Operation
	var delegation sql.NullString
	var dispatched int
	err := row.Scan(&o.ID, (*string)(&o.Type), &o.ProjectID, &o.ProviderID, &o.CheckpointID, &o.RestoreID, &o.PlanID,
		rows.Graph(&o.Graph), rows.Document(&o.Parameters), rows.Document(&o.Choices), &delegation, &o.RequestID, &o.Bank, &dispatched,
		rows.Time(&o.CreatedAt), rows.Time(&o.EndedAt))
	o.setStage(dispatched)
	if err == nil && delegation.Valid {
		o.Delegation, err = base64.StdEncoding.DecodeString(delegation.String)
	}
	return o, err
}

// Add keeps a new operation with the records of its resources; karbor.Conflict if
// there is one of its id.
func Add(ctx context.Context, t *rows.Tx, o *Operation, logID string) error {
	err := t.Add(ctx, "an operation", o.ID, `INSERT INTO operations (id, operation_type, project_id, provider_id, checkpoint_id,
		restore_id, plan_id, log_id, graph, parameters, choices, delegation, request_id, bank, dispatched, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, o.ID, string(o.Type), o.ProjectID, o.ProviderID,
		o.CheckpointID, o.RestoreID, o.PlanID, logID, rows.Graph(&o.Graph), rows.Document(o.Parameters), rows.Optional(o.Choices),
		rows.Sealed(o.Delegation), o.RequestID, o.Bank, o.stage(), rows.Micros(o.CreatedAt))
	if err != nil || o.Graph == nil {
		return err
	}
	return insertResourceRecords(ctx, t, o)
}
