package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
)

// Outcome is how an operation ended. Empty states change nothing.
type Outcome struct {
	CheckpointStatus karbor.CheckpointStatus
	RestoreStatus    karbor.RestoreStatus
	// VerificationStatus is that of the verification, which has the id of its operation.
	VerificationStatus karbor.VerificationStatus
	// CopyStatus is that of the request for copies, which has the id of its operation.
	CopyStatus karbor.CopyStatus
	// Drilled is how the drill ended, which has the id of its operation.
	Drilled   *Drilled
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
	Verified *Verified
	// Records are the last states of the resources' records. One that is not named
	// stays as it is.
	Records map[karbor.NodeKey]RecordOutcome
	// Left are the resources for which something stays in the cloud, with the reason.
	// Their scratch records and the operation's delegation stay, and each is a
	// Leftover from then on.
	Left map[karbor.NodeKey]string
	// Revoke keeps the operation's delegation in the list of Revocations.
	Revoke bool
}

// RecordOutcome is how an operation ended for one resource.
type RecordOutcome struct {
	State  karbor.ResourceState
	Reason string
}

// EndOperation keeps an operation's outcome in the catalogue, its restore or its
// verification, and in its log, and erases its delegation and what its hooks remembered,
// unless something is Left. A repeat is harmless: the first outcome stays.
func (s *Store) EndOperation(ctx context.Context, id string, outcome Outcome) error {
	return s.write(ctx, "ending the operation "+id, func(t *transaction) error {
		o, err := one(ctx, t, scanEnding, `SELECT project_id, provider_id, checkpoint_id, restore_id, log_id, ended_at
			FROM operations WHERE id = ?`+forUpdate, id)
		if err != nil {
			return missing(err, "operation", id)
		}
		if !o.endedAt.IsZero() {
			return nil
		}
		if err := s.endCounted(ctx, t, id, &o, &outcome); err != nil {
			return err
		}
		now := micros(s.now())
		if err := endResult(ctx, t, id, &o, &outcome, now); err != nil {
			return err
		}
		if outcome.Verified != nil {
			if err := putVerified(ctx, t, &o, outcome.Verified); err != nil {
				return err
			}
		}
		err = t.later(ctx, `UPDATE operation_logs SET status = CASE WHEN ? = '' THEN status ELSE ? END, ended_at = ?,
			error_info = ?, updated_at = ? WHERE id = ?`,
			string(outcome.LogStatus), string(outcome.LogStatus), now, outcome.ErrorInfo, now, o.logID)
		if err != nil {
			return err
		}
		if err := endResources(ctx, t, id, outcome.Records); err != nil {
			return err
		}
		if err := t.later(ctx, "DELETE FROM step_claims WHERE operation_id = ?", id); err != nil {
			return err
		}
		if len(outcome.Left) > 0 {
			if err := insertLeftovers(ctx, t, id, &o, outcome.Left, now); err != nil {
				return err
			}
			if err := releaseHoldings(ctx, t, id, now); err != nil {
				return err
			}
			return t.later(ctx, "UPDATE operations SET ended_at = ? WHERE id = ?", now, id)
		}
		if err := t.later(ctx, "DELETE FROM scratch WHERE operation_id = ?", id); err != nil {
			return err
		}
		if err := releaseHoldings(ctx, t, id, now); err != nil {
			return err
		}
		if outcome.Revoke {
			if err := insertRevocation(ctx, t, id); err != nil {
				return err
			}
		}
		err = t.later(ctx, "UPDATE operations SET ended_at = ?, delegation = NULL WHERE id = ?", now, id)
		return err
	})
}

// endResult keeps the outcome of the restore or the verification.
func endResult(ctx context.Context, t *transaction, id string, o *ending, outcome *Outcome, now int64) error {
	if outcome.Drilled != nil {
		return endDrill(ctx, t, id, outcome.Drilled, now)
	}
	if outcome.CopyStatus != "" {
		return t.later(ctx, "UPDATE copies SET status = ?, updated_at = ? WHERE id = ?", string(outcome.CopyStatus), now, id)
	}
	table, status, key := "restores", string(outcome.RestoreStatus), o.restoreID
	if outcome.VerificationStatus != "" {
		table, status, key = "verifications", string(outcome.VerificationStatus), id
	}
	if status == "" {
		return nil
	}
	return t.later(ctx, "UPDATE "+table+" SET status = ?, resources_status = ?, resources_reason = ?, updated_at = ? WHERE id = ?",
		status, document{outcome.ResourcesStatus}, document{outcome.ResourcesReason}, now, key)
}

// ending is what the end of an operation needs to know of it.
type ending struct {
	projectID, providerID, checkpointID, restoreID, logID string
	endedAt                                               time.Time
}

func scanEnding(rows *sql.Rows) (ending, error) {
	var o ending
	err := rows.Scan(&o.projectID, &o.providerID, &o.checkpointID, &o.restoreID, &o.logID, timeColumn{&o.endedAt})
	return o, err
}

// endCounted keeps the outcome of the checkpoint, and settles what was set aside for
// it: it counts by its real size if it is there, and not at all once it is deleted.
func (s *Store) endCounted(ctx context.Context, t *transaction, id string, o *ending, outcome *Outcome) error {
	if o.checkpointID == "" || o.restoreID != "" {
		return s.endCheckpoint(ctx, t, o, outcome)
	}
	return s.recount(ctx, t, o.projectID, o.providerID, o.checkpointID, func() error {
		if err := s.release(ctx, t, id); err != nil {
			return err
		}
		return s.endCheckpoint(ctx, t, o, outcome)
	})
}

func (s *Store) endCheckpoint(ctx context.Context, t *transaction, o *ending, outcome *Outcome) error {
	switch outcome.CheckpointStatus {
	case "":
		return nil
	case karbor.CheckpointDeleted:
		return deleteCheckpoint(ctx, t, o.providerID, o.checkpointID, s.now())
	default:
	}
	err := t.later(ctx, `UPDATE checkpoints SET status = ?, size = CASE WHEN ? = 0 THEN size ELSE ? END, reasons = ?,
		updated_at = ? WHERE id = ? AND provider_id = ? AND deleted = 0`, string(outcome.CheckpointStatus),
		outcome.Size, outcome.Size, document{outcome.Reasons}, micros(s.now()), o.checkpointID, o.providerID)
	if err != nil || len(outcome.Figures) == 0 {
		return err
	}
	return t.later(ctx, "UPDATE checkpoints SET figures = ? WHERE id = ? AND provider_id = ? AND deleted = 0",
		document{outcome.Figures}, o.checkpointID, o.providerID)
}
