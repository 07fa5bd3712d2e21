package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/credentials"
	"github.com/karbor/karbor/internal/store/drills"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/leftovers"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
)

// Outcome is how an operation ended. Empty states change nothing.
type Outcome struct {
	// ProjectID is the operation's, if it is known: ends in one project wait for each other
	// before they begin, as they change the same rows.
	ProjectID        string
	CheckpointStatus karbor.CheckpointStatus
	RestoreStatus    karbor.RestoreStatus
	// VerificationStatus is that of the verification, which has the id of its operation.
	VerificationStatus karbor.VerificationStatus
	// CopyStatus is that of the request for copies, which has the id of its operation.
	CopyStatus karbor.CopyStatus
	// Drilled is how the drill ended, which has the id of its operation.
	Drilled   *drills.Drilled
	LogStatus karbor.LogStatus
	// ErrorInfo is for the operation log.
	ErrorInfo string
	// Size is the checkpoint's, in logical bytes; 0 leaves it as it is.
	Size int64
	// Reasons are the checkpoint's.
	Reasons map[string]string
	// Figures are the checkpoint's; none leave them as they are.
	Figures map[string]karbor.Figures
	// ResourcesStatus and ResourcesReason are the restore's, or the verification's.
	ResourcesStatus map[string]karbor.ResourceState
	ResourcesReason map[string]string
	// Verified is what a verification has found that came to its end.
	Verified *checkpoints.Verified
	// Records are the last states of the resources' records. One that is not named
	// stays as it is.
	Records map[karbor.NodeKey]operations.RecordOutcome
	// Left are the resources for which something stays in the cloud, with the reason.
	// Their scratch records and the operation's delegation stay, and each is a
	// Leftover from then on.
	Left map[karbor.NodeKey]string
	// Revoke keeps the operation's delegation in the list of Revocations.
	Revoke bool
}

// EndOperation keeps an operation's outcome in the catalogue, its restore or its
// verification, and in its log, and erases its delegation and what its hooks remembered,
// unless something is Left. A repeat is harmless: the first outcome stays.
func (s *Store) EndOperation(ctx context.Context, id string, outcome Outcome) error {
	return s.db.WriteOf(ctx, outcome.ProjectID, "ending the operation "+id, func(t *rows.Tx) error {
		o, err := rows.One(ctx, t, scanEnding, `SELECT project_id, provider_id, checkpoint_id, restore_id, log_id, ended_at
			FROM operations WHERE id = ?`+rows.ForUpdate, id)
		if err != nil {
			return rows.Missing(err, "operation", id)
		}
		if !o.endedAt.IsZero() {
			return nil
		}
		if err := endCounted(ctx, t, id, &o, &outcome); err != nil {
			return err
		}
		now := rows.Micros(s.db.Now())
		if err := endResult(ctx, t, id, &o, &outcome, now); err != nil {
			return err
		}
		if outcome.Verified != nil {
			if err := checkpoints.PutVerified(ctx, t, o.checkpoint(), outcome.Verified); err != nil {
				return err
			}
		}
		err = t.Later(ctx, `UPDATE operation_logs SET status = CASE WHEN ? = '' THEN status ELSE ? END, ended_at = ?,
			error_info = ?, updated_at = ? WHERE id = ?`,
			string(outcome.LogStatus), string(outcome.LogStatus), now, outcome.ErrorInfo, now, o.logID)
		if err != nil {
			return err
		}
		if err := operations.EndResources(ctx, t, id, outcome.Records); err != nil {
			return err
		}
		if err := t.Later(ctx, "DELETE FROM step_claims WHERE operation_id = ?", id); err != nil {
			return err
		}
		if err := operations.EndTurns(ctx, t, id); err != nil {
			return err
		}
		if len(outcome.Left) > 0 {
			if err := leftovers.Add(ctx, t, leftovers.Leftover{
				OperationID: id, ProjectID: o.projectID, ProviderID: o.providerID, CheckpointID: o.checkpointID,
			}, outcome.Left, now); err != nil {
				return err
			}
			if err := leftovers.ReleaseHoldings(ctx, t, id, now); err != nil {
				return err
			}
			return t.Later(ctx, "UPDATE operations SET ended_at = ? WHERE id = ?", now, id)
		}
		if err := t.Later(ctx, "DELETE FROM scratch WHERE operation_id = ?", id); err != nil {
			return err
		}
		if err := leftovers.ReleaseHoldings(ctx, t, id, now); err != nil {
			return err
		}
		if outcome.Revoke {
			if err := credentials.AddRevocation(ctx, t, id); err != nil {
				return err
			}
		}
		return t.Later(ctx, "UPDATE operations SET ended_at = ?, delegation = NULL WHERE id = ?", now, id)
	})
}

// endResult keeps the outcome of the restore or the verification.
func endResult(ctx context.Context, t *rows.Tx, id string, o *ending, outcome *Outcome, now int64) error {
	if outcome.Drilled != nil {
		return drills.End(ctx, t, id, outcome.Drilled, now)
	}
	if outcome.CopyStatus != "" {
		return t.Later(ctx, "UPDATE copies SET status = ?, updated_at = ? WHERE id = ?", string(outcome.CopyStatus), now, id)
	}
	table, status, key := "restores", string(outcome.RestoreStatus), o.restoreID
	if outcome.VerificationStatus != "" {
		table, status, key = "verifications", string(outcome.VerificationStatus), id
	}
	if status == "" {
		return nil
	}
	return t.Later(ctx, "UPDATE "+table+" SET status = ?, resources_status = ?, resources_reason = ?, updated_at = ? WHERE id = ?",
		status, rows.Document(outcome.ResourcesStatus), rows.Document(outcome.ResourcesReason), now, key)
}

// ending is what the end of an operation needs to know of it.
type ending struct {
	projectID, providerID, checkpointID, restoreID, logID string
	endedAt                                               time.Time
}

// checkpoint is the one that the operation worked on.
func (o *ending) checkpoint() checkpoints.Key {
	return checkpoints.Key{ProjectID: o.projectID, ProviderID: o.providerID, ID: o.checkpointID}
}

func scanEnding(row *sql.Rows) (ending, error) {
	var o ending
	err := row.Scan(&o.projectID, &o.providerID, &o.checkpointID, &o.restoreID, &o.logID, rows.Time(&o.endedAt))
	return o, err
}

// endCounted keeps the outcome of the checkpoint, and settles what was set aside for
// it: it counts by its real size if it is there, and not at all once it is deleted.
func endCounted(ctx context.Context, t *rows.Tx, id string, o *ending, outcome *Outcome) error {
	if o.checkpointID != "" && o.restoreID == "" {
		becomes := ledger.Becoming{Gone: outcome.CheckpointStatus == karbor.CheckpointDeleted}
		if outcome.CheckpointStatus != "" {
			becomes.Size = outcome.Size
		}
		maker := ledger.Maker{OperationID: id, ProjectID: o.projectID}
		if err := ledger.Settle(ctx, t, maker, o.providerID, o.checkpointID, becomes); err != nil {
			return err
		}
	}
	return checkpoints.End(ctx, t, o.checkpoint(), checkpoints.Ended{
		Status: outcome.CheckpointStatus, Size: outcome.Size, Reasons: outcome.Reasons, Figures: outcome.Figures,
	})
}
