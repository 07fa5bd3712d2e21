package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/karbor/karbor"
)

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
	// Dispatched says that the engine has it.
	Dispatched bool
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
	ids, err := all(ctx, s.reader, scanText, `SELECT id FROM operations WHERE dispatched = 0 AND ended_at IS NULL
		ORDER BY created_at, id LIMIT `+strconv.Itoa(limit))
	return ids, failed("reading the outbox", err)
}

// Dispatched takes an operation out of the outbox. A repeat is harmless, and so is
// an unknown one.
func (s *Store) Dispatched(ctx context.Context, id string) error {
	return s.write(ctx, "taking the operation "+id+" out of the outbox", func(t *transaction) error {
		err := t.exec(ctx, "UPDATE operations SET dispatched = 1 WHERE id = ?", id)
		return err
	})
}

// forgotten is the value of dispatched of an operation that the engine has forgotten.
const forgotten = 2

// Rememberable lists operations that ended before a time, and that the engine may
// not have forgotten yet.
func (s *Store) Rememberable(ctx context.Context, before time.Time, limit int) ([]string, error) {
	ids, err := all(ctx, s.reader, scanText, `SELECT id FROM operations WHERE dispatched IN (0, 1) AND ended_at < ?
		ORDER BY ended_at, id LIMIT `+strconv.Itoa(limit), micros(before))
	return ids, failed("listing the operations that are over", err)
}

// Forgotten notes that the engine has forgotten operations.
func (s *Store) Forgotten(ctx context.Context, ids []string) error {
	return s.write(ctx, "noting what the engine has forgotten", func(t *transaction) error {
		for _, id := range ids {
			if err := t.exec(ctx, "UPDATE operations SET dispatched = ? WHERE id = ? AND ended_at IS NOT NULL", forgotten, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// RunningOperations lists the ids of the operations that have not ended, oldest
// first.
func (s *Store) RunningOperations(ctx context.Context) ([]string, error) {
	ids, err := all(ctx, s.reader, scanText,
		"SELECT id FROM operations WHERE ended_at IS NULL ORDER BY created_at, id")
	return ids, failed("listing the running operations", err)
}

// Operation gives an operation.
func (s *Store) Operation(ctx context.Context, id string) (Operation, error) {
	return operation(ctx, s.reader, id)
}

func operation(ctx context.Context, q queryer, id string) (Operation, error) {
	o, err := one(ctx, q, scanOperation, "SELECT "+operationColumns+" FROM operations WHERE id = ?", id)
	if err != nil {
		return Operation{}, missing(err, "operation", id)
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
	o, err := one(ctx, s.reader, scanOperation, "SELECT "+operationColumns+" FROM operations WHERE "+column+
		` = ? AND (project_id = ? OR ? = '') AND (operation_type IN (?, ?) OR ? <> '')
		ORDER BY created_at DESC, id DESC LIMIT 1`,
		id, projectID, projectID, string(karbor.Protect), string(karbor.Delete), target.RestoreID)
	if err != nil {
		return Operation{}, missing(err, what, id)
	}
	return o, nil
}

func scanOperation(rows *sql.Rows) (Operation, error) {
	var o Operation
	var delegation sql.NullString
	var dispatched int
	err := rows.Scan(&o.ID, (*string)(&o.Type), &o.ProjectID, &o.ProviderID, &o.CheckpointID, &o.RestoreID, &o.PlanID,
		graphColumn{&o.Graph}, document{&o.Parameters}, document{&o.Choices}, &delegation, &o.RequestID, &o.Bank, &dispatched,
		timeColumn{&o.CreatedAt}, timeColumn{&o.EndedAt})
	o.Dispatched = dispatched > 0
	if err == nil && delegation.Valid {
		o.Delegation, err = base64.StdEncoding.DecodeString(delegation.String)
	}
	return o, err
}

// sealed gives a delegation as it lies in its column.
func sealed(delegation []byte) any {
	if delegation == nil {
		return nil
	}
	return base64.StdEncoding.EncodeToString(delegation)
}
