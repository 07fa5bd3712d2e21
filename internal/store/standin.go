package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

// StandIn has a running restore or verification work on a copy in place of its checkpoint, and
// says so in its row and its log. The checkpoint is free from then on, and the copy is not. It is
// karbor.Conflict if the copy is not available any more.
func (s *Store) StandIn(ctx context.Context, operationID string, in karbor.StandIn) error {
	return s.write(ctx, "having a copy stand in for the checkpoint of the operation "+operationID, func(t *transaction) error {
		o, err := operationWithStandIn(ctx, t, operationID, in)
		if err != nil {
			return err
		}
		err = t.exec(ctx, "UPDATE operations SET checkpoint_id = ?, bank = ? WHERE id = ? AND ended_at IS NULL", in.CheckpointID, in.Bank, operationID)
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
	return s.write(ctx, "keeping that a copy stands in for the checkpoint of the operation "+operationID, func(t *transaction) error {
		o, err := operationWithStandIn(ctx, t, operationID, in)
		if err != nil {
			return err
		}
		return sayStandIn(ctx, t, &o, in)
	})
}

// operationWithStandIn gives an operation, and makes sure that the copy that is to stand in is
// available, and stays so until the transaction is over.
func operationWithStandIn(ctx context.Context, t *transaction, operationID string, in karbor.StandIn) (Operation, error) {
	o, err := operation(ctx, t, operationID)
	if err != nil {
		return o, err
	}
	status, err := one(ctx, t, scanText, `SELECT status FROM checkpoints WHERE id = ? AND provider_id = ? AND deleted = 0`+forUpdate,
		in.CheckpointID, o.ProviderID)
	if err != nil {
		return o, missing(err, "checkpoint", in.CheckpointID)
	}
	if karbor.CheckpointStatus(status) != karbor.CheckpointAvailable {
		return o, karbor.Errorf(karbor.Conflict, "the checkpoint %s is in the state %s", in.CheckpointID, status)
	}
	return o, nil
}

// standsIn counts the running restores that read a checkpoint, a copy, in the place of data of
// their own checkpoint.
func standsIn(ctx context.Context, q queryer, providerID, id string) (int, error) {
	found, err := all(ctx, q, func(rows *sql.Rows) (karbor.StandIn, error) {
		var in karbor.StandIn
		err := rows.Scan(document{&in})
		return in, err
	}, `SELECT r.stand_in FROM checkpoints c
		JOIN operations o ON o.checkpoint_id = c.copy_of AND o.provider_id = c.provider_id
		JOIN restores r ON r.id = o.restore_id
		WHERE c.id = ? AND c.provider_id = ? AND c.copy_of <> '' AND o.ended_at IS NULL AND r.stand_in IS NOT NULL`, id, providerID)
	n := 0
	for _, in := range found {
		if in.CheckpointID == id {
			n++
		}
	}
	return n, err
}

func sayStandIn(ctx context.Context, t *transaction, o *Operation, in karbor.StandIn) error {
	table, id := "verifications", o.ID
	if o.RestoreID != "" {
		table, id = "restores", o.RestoreID
	}
	n, err := t.changed(ctx, "UPDATE "+table+" SET stand_in = ? WHERE id = ? AND stand_in IS NULL", document{in}, id)
	if err != nil || n == 0 {
		return err
	}
	log, err := one(ctx, t, scanText, "SELECT log_id FROM operations WHERE id = ?", o.ID)
	if err != nil {
		return err
	}
	extra, err := one(ctx, t, func(rows *sql.Rows) (map[string]any, error) {
		extra := map[string]any{}
		err := rows.Scan(document{&extra})
		return extra, err
	}, "SELECT extra_info FROM operation_logs WHERE id = ?", log)
	if err != nil {
		return err
	}
	extra["stand_in"] = in
	return t.exec(ctx, "UPDATE operation_logs SET extra_info = ? WHERE id = ?", document{extra}, log)
}

// standIn gives a stand-in as it lies in its column: NULL for none.
func standIn(in *karbor.StandIn) any {
	if in == nil {
		return nil
	}
	return document{*in}
}
