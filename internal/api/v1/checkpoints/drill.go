package checkpoints

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// DrillStore knows the last drills of checkpoints; store.Store is one.
type DrillStore interface {
	LastDrills(ctx context.Context, providerID string, ids []string) (map[string]karbor.LastDrill, error)
}

// lastDrillView is the last drill of a checkpoint, on the wire.
type lastDrillView struct {
	ID         string              `json:"id"`
	At         *string             `json:"at" format:"date-time"`
	Verdict    karbor.DrillVerdict `json:"verdict" enum:"passed|failed|inconclusive"`
	RecoveryMS *int64              `json:"recovery_ms" doc:"How long it took until the last resource was ready; null if not all came to be ready."`
}

// withDrills adds to checkpoints of a provider the last drill of each that is over, where the
// caller speaks since, or a later version.
func (d Deps) withDrills(ctx context.Context, version, since api.Version, provider string, views []view) error {
	if version < since {
		return nil
	}
	found, err := d.Store.LastDrills(ctx, provider, idsOf(views))
	if err != nil {
		return err
	}
	for i := range views {
		last, is := found[views[i].ID]
		if !is {
			continue
		}
		v := &lastDrillView{ID: last.DrillID, At: api.Time(last.At), Verdict: last.Verdict}
		if ms := last.Recovery.Milliseconds(); ms > 0 {
			v.RecoveryMS = &ms
		}
		views[i].LastDrill = v
	}
	return nil
}

func idsOf(views []view) []string {
	ids := make([]string, len(views))
	for i, v := range views {
		ids[i] = v.ID
	}
	return ids
}
