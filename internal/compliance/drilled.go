package compliance

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// maxDrills bounds the drills that a report reads, the newest of a project.
const maxDrills = 5_000

// drills gives what drills have last shown of each resource: the newest that saw it to be right or
// wrong, whatever was drilled since without it; where none did, the newest that it was in.
func (r *Reporter) drills(ctx context.Context, project string) (map[string]*Drilled, error) {
	out := map[string]*Drilled{}
	p := store.Page{Limit: store.MaxLimit}
	for read := 0; read < maxDrills; read += p.Limit {
		page, err := r.store.Drills(ctx, store.DrillFilter{ProjectID: project}, p)
		if err != nil {
			return nil, err
		}
		for i := range page {
			note(out, &page[i])
		}
		if len(page) < p.Limit {
			break
		}
		p.Marker = page[len(page)-1].ID
	}
	return out, nil
}

// note adds what a drill has shown, where it says more than what is known.
func note(known map[string]*Drilled, d *karbor.Drill) {
	if d.Status == karbor.DrillRunning {
		return
	}
	for key, one := range d.Resources {
		old := known[key]
		sees := one.Verdict != karbor.DrillInconclusive
		if old != nil {
			if saw := old.Verdict != karbor.DrillInconclusive; saw && !sees || saw == sees && !d.UpdatedAt.After(old.At) {
				continue
			}
		}
		known[key] = &Drilled{
			DrillID: d.ID, CheckpointID: d.CheckpointID, At: d.UpdatedAt, Verdict: one.Verdict,
			RecoveryTime: time.Duration(one.RecoveryMS) * time.Millisecond,
		}
	}
}
