package checkpoints

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// CatalogueFilled reports whether the catalogue has been filled from the bank of a
// provider to the end (FillCatalogue). target is "" for its own, or the name of a copy
// target.
func (s *Store) CatalogueFilled(ctx context.Context, providerID, target string) (bool, error) {
	query, args := "SELECT COUNT(*) FROM catalogues WHERE provider_id = ?", []any{providerID}
	if target != "" {
		query, args = "SELECT COUNT(*) FROM target_catalogues WHERE provider_id = ? AND bank = ?", append(args, target)
	}
	n, err := rows.One(ctx, s.db, rows.Int, query, args...)
	return n > 0, rows.Failed("looking whether the catalogue is filled", err)
}

var putCatalogue = "INSERT INTO catalogues (provider_id, filled_at) VALUES (?, ?)" +
	rows.Upsert("provider_id", "filled_at")

var putTargetCatalogue = "INSERT INTO target_catalogues (provider_id, bank, filled_at) VALUES (?, ?, ?)" +
	rows.Upsert("provider_id, bank", "filled_at")

// FillCatalogue notes that the catalogue has been filled from the bank of a provider
// to the end, as CatalogueFilled tells. A repeat is harmless.
func (s *Store) FillCatalogue(ctx context.Context, providerID, target string) error {
	return s.db.Write(ctx, "noting that the catalogue is filled", func(t *rows.Tx) error {
		if target != "" {
			return t.Exec(ctx, putTargetCatalogue, providerID, target, rows.Micros(s.db.Now()))
		}
		return t.Exec(ctx, putCatalogue, providerID, rows.Micros(s.db.Now()))
	})
}

// BusyCheckpoints gives the checkpoints of a provider that an operation works on, and
// what it does; of several, any one.
func (s *Store) BusyCheckpoints(ctx context.Context, providerID string) (map[string]karbor.OperationType, error) {
	type pair struct{ id, doing string }
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (pair, error) {
		var p pair
		err := row.Scan(&p.id, &p.doing)
		return p, err
	}, `SELECT checkpoint_id, operation_type FROM operations WHERE ended_at IS NULL AND provider_id = ?
		UNION ALL SELECT copied_id, '`+string(karbor.CopyOperation)+`' FROM copied_checkpoints WHERE ended_at IS NULL AND provider_id = ?`,
		providerID, providerID)
	busy := make(map[string]karbor.OperationType, len(found))
	for _, p := range found {
		busy[p.id] = karbor.OperationType(p.doing)
	}
	return busy, rows.Failed("listing the checkpoints that are worked on", err)
}

// CheckpointIdle reports, as karbor.Conflict, that an operation works on a checkpoint.
func (s *Store) CheckpointIdle(ctx context.Context, providerID, id string) error {
	running, err := runningOn(ctx, s.db, providerID, id)
	if err != nil {
		return rows.Failed("looking what works on the checkpoint "+id, err)
	}
	if running.any() {
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s", id, running.doing())
	}
	return nil
}
