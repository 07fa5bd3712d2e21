package checkpoints

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// DrillStore knows the last drills of checkpoints; store.Store is one.
type DrillStore interface {
	LastDrill(ctx context.Context, projectID, checkpointID string) (*karbor.LastDrill, error)
}

// lastDrillView is the last drill of a checkpoint, on the wire.
type lastDrillView struct {
	ID         string              `json:"id"`
	At         *string             `json:"at" format:"date-time"`
	Verdict    karbor.DrillVerdict `json:"verdict" enum:"passed|failed|inconclusive"`
	RecoveryMS *int64              `json:"recovery_ms" doc:"How long it took until the last resource was ready; null if not all came to be ready."`
}

// withDrill adds to a show, from api.ProofVersion on, the last drill of the checkpoint that is over.
func (d Deps) withDrill(ctx context.Context, version api.Version, c karbor.Checkpoint, v *view) error {
	if version < api.ProofVersion {
		return nil
	}
	last, err := d.Store.LastDrill(ctx, c.ProjectID, c.ID)
	if err != nil || last == nil {
		return err
	}
	v.LastDrill = &lastDrillView{ID: last.DrillID, At: api.Time(last.At), Verdict: last.Verdict}
	if ms := last.Recovery.Milliseconds(); ms > 0 {
		v.LastDrill.RecoveryMS = &ms
	}
	return nil
}
