// Package checkpoints keeps the catalogue of checkpoints: what the banks hold, how it is
// kept, and what works on it. The banks are the truth about checkpoints.
package checkpoints

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps checkpoints in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the checkpoints of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// Listing is how checkpoints are listed.
var Listing = rows.Listing{
	What:  "checkpoint",
	Table: "checkpoints",
	Columns: "id, provider_id, project_id, status, plan, graph, extra_info, size, reasons, " +
		"created_at, updated_at, figures, copy_of, bank",
	Keys: map[string]string{
		"id": "id", "project_id": "project_id", "provider_id": "provider_id", "plan_id": "plan_id",
		"status": "status", "created_at": "created_at", "updated_at": "updated_at",
	},
	Indexed:    []string{"status", "updated_at"},
	OfProvider: true,
}

// MainBank is the word for the provider's own bank among those of its copy targets.
const MainBank = "main"

// Filter narrows a list of checkpoints down. Empty members ask for
// nothing.
type Filter struct {
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
	return Get(ctx, s.db, projectID, providerID, id)
}

// Get gives a checkpoint as Store.Checkpoint does, by a Queryer that may be a transaction.
func Get(ctx context.Context, q rows.Queryer, projectID, providerID, id string) (karbor.Checkpoint, error) {
	c, err := rows.One(ctx, q, Scan, "SELECT "+Listing.Columns+` FROM checkpoints
		WHERE id = ? AND provider_id = ? AND (project_id = ? OR ? = '') AND deleted = 0`,
		id, providerID, projectID, projectID)
	if err != nil {
		return karbor.Checkpoint{}, rows.Missing(err, "checkpoint", id)
	}
	return c, nil
}

// Checkpoints lists checkpoints that are not deleted. The error is karbor.Invalid
// for an unknown sort key or marker.
func (s *Store) Checkpoints(ctx context.Context, f Filter, p rows.Page) ([]karbor.Checkpoint, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	scope.Equal("provider_id", f.ProviderID)
	filter.Add("deleted = 0")
	filter.Equal("plan_id", f.PlanID)
	filter.Equal("status", f.Status)
	filter.Equal("copy_of", f.CopyOf)
	if f.Bank == MainBank {
		filter.Add("bank = ''")
	} else {
		filter.Equal("bank", f.Bank)
	}
	const day = 24 * time.Hour
	if !f.StartDate.IsZero() {
		filter.Add("created_at >= ?", rows.Micros(f.StartDate.UTC().Truncate(day)))
	}
	if !f.EndDate.IsZero() {
		filter.Add("created_at < ?", rows.Micros(f.EndDate.UTC().Truncate(day).Add(day)))
	}
	return rows.List(ctx, s.db, Listing, scope, filter, p, Scan)
}

const countCheckpoints = "SELECT COUNT(*) FROM checkpoints WHERE project_id = ? AND deleted = 0"

// CountCheckpoints gives the number of checkpoints of a project.
func (s *Store) CountCheckpoints(ctx context.Context, projectID string) (int, error) {
	n, err := rows.One(ctx, s.db, rows.Int, countCheckpoints, projectID)
	return int(n), rows.Failed("counting checkpoints", err)
}

// PutCheckpoint makes the catalogue say what a scan of the bank found. With the
// status karbor.CheckpointDeleted it takes the checkpoint out of the catalogue.
// One that an operation is writing is left alone: the operation knows better.
func (s *Store) PutCheckpoint(ctx context.Context, c karbor.Checkpoint) error {
	rows.FillIn(s.db.Now, &c.CreatedAt, &c.UpdatedAt)
	return s.db.WriteOf(ctx, c.ProjectID, "cataloguing the checkpoint "+c.ID, func(t *rows.Tx) error {
		running, err := runningOn(ctx, t, c.ProviderID, c.ID)
		if err != nil || running.writer != "" {
			return err
		}
		return ledger.Recount(ctx, t, c.ProjectID, c.ProviderID, c.ID, func() error {
			if c.Status == karbor.CheckpointDeleted {
				return remove(ctx, t, c.ProviderID, c.ID, s.db.Now())
			}
			return insert(ctx, t, &c, putCheckpoint)
		})
	})
}

const newCheckpoint = `INSERT INTO checkpoints (id, provider_id, project_id, plan_id, status, plan, graph,
	extra_info, size, reasons, created_at, updated_at, figures, copy_of, bank, deleted_at, deleted)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)`

var putCheckpoint = newCheckpoint + rows.Upsert("id, provider_id", "project_id", "plan_id", "status", "plan", "graph",
	"extra_info", "size", "reasons", "created_at", "updated_at", "figures", "copy_of", "bank", "deleted_at", "deleted")

func insert(ctx context.Context, t *rows.Tx, c *karbor.Checkpoint, query string) error {
	return t.Add(ctx, "a checkpoint", c.ID, query, c.ID, c.ProviderID, c.ProjectID, c.Plan.ID, string(c.Status), rows.Document(c.Plan),
		rows.Graph(&c.Graph), rows.Document(c.ExtraInfo), c.Size, rows.Document(c.Reasons),
		rows.Micros(c.CreatedAt), rows.Micros(c.UpdatedAt), rows.Document(c.Figures), c.CopyOf, c.Bank)
}

func remove(ctx context.Context, t *rows.Tx, providerID, id string, now time.Time) error {
	err := t.Exec(ctx, `UPDATE checkpoints SET status = ?, deleted = 1, deleted_at = ?, updated_at = ?
		WHERE id = ? AND provider_id = ? AND deleted = 0`,
		string(karbor.CheckpointDeleted), rows.Micros(now), rows.Micros(now), id, providerID)
	return err
}

// SetCheckpointStatus sets a status by hand (os-resetState). It is
// karbor.Conflict while an operation works on the checkpoint.
func (s *Store) SetCheckpointStatus(ctx context.Context, projectID, providerID, id string, to karbor.CheckpointStatus) error {
	return s.db.Write(ctx, "setting the status of the checkpoint "+id, func(t *rows.Tx) error {
		if _, err := Get(ctx, t, projectID, providerID, id); err != nil {
			return err
		}
		running, err := runningOn(ctx, t, providerID, id)
		if err != nil {
			return err
		}
		if running.any() {
			return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s", id, running.doing())
		}
		return setStatus(ctx, t, providerID, id, to, s.db.Now())
	})
}

func setStatus(ctx context.Context, t *rows.Tx, providerID, id string, to karbor.CheckpointStatus, now time.Time) error {
	err := t.Exec(ctx, "UPDATE checkpoints SET status = ?, updated_at = ? WHERE id = ? AND provider_id = ? AND deleted = 0",
		string(to), rows.Micros(now), id, providerID)
	return err
}

// Scan reads a row of the columns of the Listing.
func Scan(row *sql.Rows) (karbor.Checkpoint, error) {
	var c karbor.Checkpoint
	err := row.Scan(&c.ID, &c.ProviderID, &c.ProjectID, (*string)(&c.Status), rows.Document(&c.Plan),
		rows.Graph(&c.Graph), rows.Document(&c.ExtraInfo), &c.Size, rows.Document(&c.Reasons),
		rows.Time(&c.CreatedAt), rows.Time(&c.UpdatedAt), rows.Document(&c.Figures), &c.CopyOf, &c.Bank)
	return c, err
}

// Key tells one checkpoint from all others.
type Key struct{ ProjectID, ProviderID, ID string }

// Ended is what becomes of a checkpoint as an operation on it ends.
type Ended struct {
	// Status is its new one; "" changes nothing.
	Status karbor.CheckpointStatus
	// Size is its size in logical bytes; 0 leaves it as it is.
	Size    int64
	Reasons map[string]string
	// Figures are its own; none leave them as they are.
	Figures map[string]karbor.Figures
}

// End keeps what becomes of a checkpoint as an operation on it ends.
func End(ctx context.Context, t *rows.Tx, k Key, e Ended) error {
	switch e.Status {
	case "":
		return nil
	case karbor.CheckpointDeleted:
		return remove(ctx, t, k.ProviderID, k.ID, t.Now())
	default:
	}
	err := t.Later(ctx, `UPDATE checkpoints SET status = ?, size = CASE WHEN ? = 0 THEN size ELSE ? END, reasons = ?,
		updated_at = ? WHERE id = ? AND provider_id = ? AND deleted = 0`, string(e.Status),
		e.Size, e.Size, rows.Document(e.Reasons), rows.Micros(t.Now()), k.ID, k.ProviderID)
	if err != nil || len(e.Figures) == 0 {
		return err
	}
	return t.Later(ctx, "UPDATE checkpoints SET figures = ? WHERE id = ? AND provider_id = ? AND deleted = 0",
		rows.Document(e.Figures), k.ID, k.ProviderID)
}

// Add keeps a new checkpoint, and how it is kept.
func Add(ctx context.Context, t *rows.Tx, c karbor.Checkpoint, k karbor.Keeping) error {
	rows.FillIn(t.Now, &c.CreatedAt, &c.UpdatedAt)
	if err := insert(ctx, t, &c, newCheckpoint); err != nil || k == (karbor.Keeping{}) {
		return err
	}
	return putKeeping(ctx, t, c.ProjectID, c.ProviderID, c.ID, k)
}
