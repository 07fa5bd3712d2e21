package checkpoints

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// WorkedOn is a checkpoint that is worked on, as the catalogue says.
type WorkedOn struct {
	ID, ProjectID string
	Status        karbor.CheckpointStatus
}

// WorkedOn lists the checkpoints of a provider in one of its banks ("" is the main one)
// that are protecting or deleting, whether or not there is an operation that works on
// them: see BusyCheckpoints.
func (s *Store) WorkedOn(ctx context.Context, providerID, bank string) ([]WorkedOn, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (WorkedOn, error) {
		var w WorkedOn
		err := row.Scan(&w.ID, &w.ProjectID, (*string)(&w.Status))
		return w, err
	}, "SELECT id, project_id, status FROM checkpoints WHERE provider_id = ? AND bank = ? AND deleted = 0 AND status IN (?, ?) ORDER BY id",
		providerID, bank, string(karbor.CheckpointProtecting), string(karbor.CheckpointDeleting))
	return found, rows.Failed("listing the checkpoints that are worked on", err)
}
