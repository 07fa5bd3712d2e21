package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/karbor/karbor"
)

var checkpoints = listing{
	what:  "checkpoint",
	table: "checkpoints",
	columns: "id, provider_id, project_id, status, plan, graph, extra_info, size, reasons, " +
		"created_at, updated_at, figures, copy_of, bank",
	keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "plan_id": "plan_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	indexed:    []string{"status", "updated_at"},
	ofProvider: true,
}

// MainBank is the word for the provider's own bank among those of its copy targets.
const MainBank = "main"

// CheckpointFilter narrows a list of checkpoints down. Empty members ask for
// nothing.
type CheckpointFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// ProviderID is the provider. Two providers that share a bank may show the
	// same checkpoint: name one when a list is read in pages.
	ProviderID string
	PlanID     string
	Status     string
	// Bank is the copy target in whose bank it lies, or MainBank; CopyOf is the checkpoint
	// that it was copied from.
	Bank, CopyOf string
	// StartDate and EndDate are the first and the last day, in UTC, on which it
	// was created; the time of day does not count.
	StartDate, EndDate time.Time
}

// Checkpoint gives a checkpoint of a provider and of a project, or of any project
// if projectID is "". Deleted ones are karbor.NotFound.
func (s *Store) Checkpoint(ctx context.Context, projectID, providerID, id string) (karbor.Checkpoint, error) {
	return checkpoint(ctx, s.reader, projectID, providerID, id)
}

func checkpoint(ctx context.Context, q queryer, projectID, providerID, id string) (karbor.Checkpoint, error) {
	c, err := one(ctx, q, scanCheckpoint, "SELECT "+checkpoints.columns+` FROM checkpoints
		WHERE id = ? AND provider_id = ? AND (project_id = ? OR ? = '') AND deleted = 0`,
		id, providerID, projectID, projectID)
	if err != nil {
		return karbor.Checkpoint{}, missing(err, "checkpoint", id)
	}
	return c, nil
}

// Checkpoints lists checkpoints that are not deleted. The error is karbor.Invalid
// for an unknown sort key or marker.
func (s *Store) Checkpoints(ctx context.Context, f CheckpointFilter, p Page) ([]karbor.Checkpoint, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	scope.equal("provider_id", f.ProviderID)
	filter.add("deleted = 0")
	filter.equal("plan_id", f.PlanID)
	filter.equal("status", f.Status)
	filter.equal("copy_of", f.CopyOf)
	if f.Bank == MainBank {
		filter.add("bank = ''")
	} else {
		filter.equal("bank", f.Bank)
	}
	const day = 24 * time.Hour
	if !f.StartDate.IsZero() {
		filter.add("created_at >= ?", micros(f.StartDate.UTC().Truncate(day)))
	}
	if !f.EndDate.IsZero() {
		filter.add("created_at < ?", micros(f.EndDate.UTC().Truncate(day).Add(day)))
	}
	return list(ctx, s, checkpoints, scope, filter, p, scanCheckpoint)
}

const countCheckpoints = "SELECT COUNT(*) FROM checkpoints WHERE project_id = ? AND deleted = 0"

// CountCheckpoints gives the number of checkpoints of a project.
func (s *Store) CountCheckpoints(ctx context.Context, projectID string) (int, error) {
	n, err := one(ctx, s.reader, scanInt, countCheckpoints, projectID)
	return int(n), failed("counting checkpoints", err)
}

// PutCheckpoint makes the catalogue say what a scan of the bank found. With the
// status karbor.CheckpointDeleted it takes the checkpoint out of the catalogue.
// One that an operation is writing is left alone: the operation knows better.
func (s *Store) PutCheckpoint(ctx context.Context, c karbor.Checkpoint) error {
	s.fillIn(&c.CreatedAt, &c.UpdatedAt)
	return s.write(ctx, "cataloguing the checkpoint "+c.ID, func(t *transaction) error {
		running, err := runningOn(ctx, t, c.ProviderID, c.ID)
		if err != nil || running.writer != "" {
			return err
		}
		return s.recount(ctx, t, c.ProjectID, c.ProviderID, c.ID, func() error {
			if c.Status == karbor.CheckpointDeleted {
				return deleteCheckpoint(ctx, t, c.ProviderID, c.ID, s.now())
			}
			return insertCheckpoint(ctx, t, &c, putCheckpoint)
		})
	})
}

const newCheckpoint = `INSERT INTO checkpoints (id, provider_id, project_id, plan_id, status, plan, graph,
	extra_info, size, reasons, created_at, updated_at, figures, copy_of, bank, deleted_at, deleted)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)`

var putCheckpoint = newCheckpoint + upsert("id, provider_id", "project_id", "plan_id", "status", "plan", "graph",
	"extra_info", "size", "reasons", "created_at", "updated_at", "figures", "copy_of", "bank", "deleted_at", "deleted")

func insertCheckpoint(ctx context.Context, t *transaction, c *karbor.Checkpoint, query string) error {
	return t.add(ctx, "a checkpoint", c.ID, query, c.ID, c.ProviderID, c.ProjectID, c.Plan.ID, string(c.Status), document{c.Plan},
		graphColumn{&c.Graph}, document{c.ExtraInfo}, c.Size, document{c.Reasons},
		micros(c.CreatedAt), micros(c.UpdatedAt), document{c.Figures}, c.CopyOf, c.Bank)
}

func deleteCheckpoint(ctx context.Context, t *transaction, providerID, id string, now time.Time) error {
	err := t.exec(ctx, `UPDATE checkpoints SET status = ?, deleted = 1, deleted_at = ?, updated_at = ?
		WHERE id = ? AND provider_id = ? AND deleted = 0`,
		string(karbor.CheckpointDeleted), micros(now), micros(now), id, providerID)
	return err
}

// SetCheckpointStatus sets a status by hand (os-resetState). It is
// karbor.Conflict while an operation works on the checkpoint.
func (s *Store) SetCheckpointStatus(ctx context.Context, projectID, providerID, id string, to karbor.CheckpointStatus) error {
	return s.write(ctx, "setting the status of the checkpoint "+id, func(t *transaction) error {
		if _, err := checkpoint(ctx, t, projectID, providerID, id); err != nil {
			return err
		}
		running, err := runningOn(ctx, t, providerID, id)
		if err != nil {
			return err
		}
		if running.any() {
			return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s", id, running.doing())
		}
		return setCheckpointStatus(ctx, t, providerID, id, to, s.now())
	})
}

func setCheckpointStatus(ctx context.Context, t *transaction, providerID, id string, to karbor.CheckpointStatus, now time.Time) error {
	err := t.exec(ctx, "UPDATE checkpoints SET status = ?, updated_at = ? WHERE id = ? AND provider_id = ? AND deleted = 0",
		string(to), micros(now), id, providerID)
	return err
}

func scanCheckpoint(rows *sql.Rows) (karbor.Checkpoint, error) {
	var c karbor.Checkpoint
	err := rows.Scan(&c.ID, &c.ProviderID, &c.ProjectID, (*string)(&c.Status), document{&c.Plan},
		graphColumn{&c.Graph}, document{&c.ExtraInfo}, &c.Size, document{&c.Reasons},
		timeColumn{&c.CreatedAt}, timeColumn{&c.UpdatedAt}, document{&c.Figures}, &c.CopyOf, &c.Bank)
	return c, err
}

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
func runningOn(ctx context.Context, t queryer, providerID, id string) (involved, error) {
	types, err := all(ctx, t, scanText, `SELECT operation_type FROM operations
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

// graphColumn writes a graph as its text, or reads it. No graph is JSON's null.
type graphColumn struct{ g **karbor.Graph }

// Value implements driver.Valuer.
func (c graphColumn) Value() (driver.Value, error) {
	if *c.g == nil {
		return "null", nil
	}
	text, err := (*c.g).MarshalText()
	return string(text), err
}

// Scan implements sql.Scanner.
func (c graphColumn) Scan(src any) error {
	text, ok := src.(string)
	if bytes, is := src.([]byte); is {
		text, ok = string(bytes), true
	}
	if !ok {
		return errors.New("a graph is not kept as text")
	}
	if text == "null" {
		*c.g = nil
		return nil
	}
	*c.g = &karbor.Graph{}
	return (*c.g).UnmarshalText([]byte(text))
}
