package checkpoints

import (
	"context"
	"database/sql"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// involved is what operations are doing with a checkpoint.
type involved struct {
	// writer is the type of the operation that writes it, or "".
	writer karbor.OperationType
	// readers is the number of operations that read it, and reader the type of one
	// of them.
	readers int
	reader  karbor.OperationType
}

func (i involved) any() bool { return i.writer != "" || i.readers > 0 }

// doing is the word for it.
func (i involved) doing() string {
	switch i.writer {
	case karbor.Protect:
		return "made"
	case karbor.Delete:
		return "deleted"
	case copiedTo:
		return "copied to"
	case "":
	default:
		return "changed"
	}
	switch i.reader {
	case karbor.Verify:
		return "verified"
	case karbor.CopyOperation:
		return "copied"
	case karbor.DrillOperation:
		return "restored by a drill"
	default:
		return "restored"
	}
}

// copiedTo is the writer of a checkpoint that is a copy in the making.
const copiedTo karbor.OperationType = "copied_to"

// onlyReads reports whether operations of a type leave the checkpoint as it is, so
// that any number of them may run on it at once.
func onlyReads(t karbor.OperationType) bool {
	return t == karbor.RestoreOperation || t == karbor.Verify || t == karbor.CopyOperation || t == karbor.DrillOperation
}

// runningOn gives what runs on a checkpoint.
func runningOn(ctx context.Context, t rows.Queryer, providerID, id string) (involved, error) {
	types, err := rows.All(ctx, t, rows.Text, `SELECT operation_type FROM operations
		WHERE checkpoint_id = ? AND provider_id = ? AND ended_at IS NULL
		UNION ALL SELECT '`+string(karbor.CopyOperation)+`' FROM copied_checkpoints
		WHERE checkpoint_id = ? AND provider_id = ? AND ended_at IS NULL
		UNION ALL SELECT '`+string(copiedTo)+`' FROM copied_checkpoints
		WHERE copied_id = ? AND provider_id = ? AND ended_at IS NULL`, id, providerID, id, providerID, id, providerID)
	if err != nil {
		return involved{}, err
	}
	var found involved
	for _, text := range types {
		if typ := karbor.OperationType(text); onlyReads(typ) {
			found.readers++
			found.reader = typ
		} else {
			found.writer = typ
		}
	}
	n, err := standsIn(ctx, t, providerID, id)
	if n > 0 {
		found.readers, found.reader = found.readers+n, karbor.RestoreOperation
	}
	return found, err
}

// standsIn counts the running restores that read a checkpoint, a copy, in the place of data of
// their own checkpoint.
func standsIn(ctx context.Context, q rows.Queryer, providerID, id string) (int, error) {
	found, err := rows.All(ctx, q, func(row *sql.Rows) (karbor.StandIn, error) {
		var in karbor.StandIn
		err := row.Scan(rows.Document(&in))
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

// Use is what an operation wants of a checkpoint that is there.
type Use struct {
	// By is the type of the operation.
	By karbor.OperationType
	// From are the states, one of which the checkpoint must be in; none stands for any. To,
	// if any, is the state that it gets.
	From []karbor.CheckpointStatus
	To   karbor.CheckpointStatus
	// Gate, if any, is asked whether what speaks against deleting the checkpoint lets it go.
	Gate func(Standing) error
}

// Begin makes sure that an operation may work on its checkpoint.
func Begin(ctx context.Context, t *rows.Tx, k Key, use Use) error {
	running, err := runningOn(ctx, t, k.ProviderID, k.ID)
	if err != nil {
		return err
	}
	if running.writer != "" || running.readers > 0 && !onlyReads(use.By) {
		advice := ""
		if use.By == karbor.Delete && running.writer != karbor.Delete {
			advice = "; it can be deleted when that is over"
		}
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s%s", k.ID, running.doing(), advice)
	}
	if len(use.From) == 0 && use.To == "" {
		return nil
	}
	status, err := rows.One(ctx, t, rows.Text, `SELECT status FROM checkpoints
		WHERE id = ? AND provider_id = ? AND project_id = ? AND deleted = 0`, k.ID, k.ProviderID, k.ProjectID)
	if err != nil {
		return rows.Missing(err, "checkpoint", k.ID)
	}
	if len(use.From) > 0 && !slices.Contains(use.From, karbor.CheckpointStatus(status)) {
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is in the state %s", k.ID, status)
	}
	if use.Gate != nil {
		st, err := standing(ctx, t, k.ProjectID, k.ProviderID, k.ID)
		if err != nil {
			return err
		}
		if err := use.Gate(st); err != nil {
			return err
		}
	}
	if use.To == "" {
		return nil
	}
	return setStatus(ctx, t, k.ProviderID, k.ID, use.To, t.Now())
}
