package restores

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
)

// StandIn has a running restore or verification work on a copy in place of its checkpoint, and
// says so in its row and its log. The checkpoint is free from then on, and the copy is not. It is
// karbor.Conflict if the copy is not available any more.
func (s *Store) StandIn(ctx context.Context, operationID string, in karbor.StandIn) error {
	return s.db.Write(ctx, "having a copy stand in for the checkpoint of the operation "+operationID, func(t *rows.Tx) error {
		o, err := operationWithStandIn(ctx, t, operationID, in)
		if err != nil {
			return err
		}
		err = t.Exec(ctx, "UPDATE operations SET checkpoint_id = ?, bank = ? WHERE id = ? AND ended_at IS NULL", in.CheckpointID, in.Bank, operationID)
		if err == nil {
			err = sayStandIn(ctx, t, &o, in)
		}
		return err
	})
}

// SayStandIn keeps in the row of a running restore or verification, and in its log, that a copy
// stands in for some of the data of its checkpoint. Both are in use from then on. What was said
// before stays. It is karbor.Conflict if the copy is not available any more.
func (s *Store) SayStandIn(ctx context.Context, operationID string, in karbor.StandIn) error {
	return s.db.Write(ctx, "keeping that a copy stands in for the checkpoint of the operation "+operationID, func(t *rows.Tx) error {
		o, err := operationWithStandIn(ctx, t, operationID, in)
		if err != nil {
			return err
		}
		return sayStandIn(ctx, t, &o, in)
	})
}

// operationWithStandIn gives an operation, and makes sure that the copy that is to stand in is
// available, and stays so until the transaction is over.
func operationWithStandIn(ctx context.Context, t *rows.Tx, operationID string, in karbor.StandIn) (operations.Operation, error) {
	o, err := operations.Get(ctx, t, operationID)
	if err != nil {
		return o, err
	}
	status, err := rows.One(ctx, t, rows.Text, `SELECT status FROM checkpoints WHERE id = ? AND provider_id = ? AND deleted = 0`+rows.ForUpdate,
		in.CheckpointID, o.ProviderID)
	if err != nil {
		return o, rows.Missing(err, "checkpoint", in.CheckpointID)
	}
	if karbor.CheckpointStatus(status) != karbor.CheckpointAvailable {
		return o, karbor.Errorf(karbor.Conflict, "the checkpoint %s is in the state %s", in.CheckpointID, status)
	}
	return o, nil
}

func sayStandIn(ctx context.Context, t *rows.Tx, o *operations.Operation, in karbor.StandIn) error {
	table, id := "verifications", o.ID
	if o.RestoreID != "" {
		table, id = "restores", o.RestoreID
	}
	n, err := t.Changed(ctx, "UPDATE "+table+" SET stand_in = ? WHERE id = ? AND stand_in IS NULL", rows.Document(in), id)
	if err != nil || n == 0 {
		return err
	}
	log, err := rows.One(ctx, t, rows.Text, "SELECT log_id FROM operations WHERE id = ?", o.ID)
	if err != nil {
		return err
	}
	extra, err := rows.One(ctx, t, func(row *sql.Rows) (map[string]any, error) {
		extra := map[string]any{}
		err := row.Scan(rows.Document(&extra))
		return extra, err
	}, "SELECT extra_info FROM operation_logs WHERE id = ?", log)
	if err != nil {
		return err
	}
	extra["stand_in"] = in
	return t.Exec(ctx, "UPDATE operation_logs SET extra_info = ? WHERE id = ?", rows.Document(extra), log)
}

// standIn gives a stand-in as it lies in its column: NULL for none.
func standIn(in *karbor.StandIn) any {
	if in == nil {
		return nil
	}
	return rows.Document(*in)
}
