package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

// CatalogueFilled reports whether the catalogue has been filled from the bank of a
// provider to the end (FillCatalogue). target is "" for its own, or the name of a copy
// target.
func (s *Store) CatalogueFilled(ctx context.Context, providerID, target string) (bool, error) {
	query, args := "SELECT COUNT(*) FROM catalogues WHERE provider_id = ?", []any{providerID}
	if target != "" {
		query, args = "SELECT COUNT(*) FROM target_catalogues WHERE provider_id = ? AND bank = ?", append(args, target)
	}
	n, err := one(ctx, s.reader, scanInt, query, args...)
	return n > 0, failed("looking whether the catalogue is filled", err)
}

var putCatalogue = "INSERT INTO catalogues (provider_id, filled_at) VALUES (?, ?)" +
	upsert("provider_id", "filled_at")

var putTargetCatalogue = "INSERT INTO target_catalogues (provider_id, bank, filled_at) VALUES (?, ?, ?)" +
	upsert("provider_id, bank", "filled_at")

// FillCatalogue notes that the catalogue has been filled from the bank of a provider
// to the end, as CatalogueFilled tells. A repeat is harmless.
func (s *Store) FillCatalogue(ctx context.Context, providerID, target string) error {
	return s.write(ctx, "noting that the catalogue is filled", func(t *transaction) error {
		if target != "" {
			return t.exec(ctx, putTargetCatalogue, providerID, target, micros(s.now()))
		}
		return t.exec(ctx, putCatalogue, providerID, micros(s.now()))
	})
}

// BusyCheckpoints gives the checkpoints of a provider that an operation works on, and
// what it does; of several, any one.
func (s *Store) BusyCheckpoints(ctx context.Context, providerID string) (map[string]karbor.OperationType, error) {
	type pair struct{ id, doing string }
	found, err := all(ctx, s.reader, func(rows *sql.Rows) (pair, error) {
		var p pair
		err := rows.Scan(&p.id, &p.doing)
		return p, err
	}, `SELECT checkpoint_id, operation_type FROM operations WHERE ended_at IS NULL AND provider_id = ?
		UNION ALL SELECT copied_id, '`+string(karbor.CopyOperation)+`' FROM copied_checkpoints WHERE ended_at IS NULL AND provider_id = ?`,
		providerID, providerID)
	busy := make(map[string]karbor.OperationType, len(found))
	for _, p := range found {
		busy[p.id] = karbor.OperationType(p.doing)
	}
	return busy, failed("listing the checkpoints that are worked on", err)
}

// CheckpointIdle reports, as karbor.Conflict, that an operation works on a checkpoint.
func (s *Store) CheckpointIdle(ctx context.Context, providerID, id string) error {
	running, err := runningOn(ctx, s.reader, providerID, id)
	if err != nil {
		return failed("looking what works on the checkpoint "+id, err)
	}
	if running.any() {
		return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being %s", id, running.doing())
	}
	return nil
}
