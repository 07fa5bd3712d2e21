package custody

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/proof"
	"github.com/karbor/karbor/internal/provider"
)

// readers is how many checkpoints' evidence is read at once: to look for it takes a listing of each, and
// nothing of the bank's layout finds all of it in fewer. waiting is how many checkpoints wait for it.
const (
	readers = 8
	waiting = 8 * readers
)

// recovery brings back the drills of checkpoints that are put into the catalogue.
type recovery struct {
	keeper *Keeper
	place  *provider.Provider
	// checkpoints are those that wait.
	checkpoints []karbor.Checkpoint
	// unread is of how many checkpoints that could not be done.
	unread int
}

// of takes in a checkpoint that is in the catalogue. When enough wait, their drills are brought back.
func (r *recovery) of(ctx context.Context, cp karbor.Checkpoint) {
	if cp.Status != karbor.CheckpointAvailable {
		return
	}
	if r.checkpoints = append(r.checkpoints, cp); len(r.checkpoints) == waiting {
		r.end(ctx)
	}
}

// end brings back the drills of those that wait.
func (r *recovery) end(ctx context.Context) {
	read := make([]bool, len(r.checkpoints))
	var group errgroup.Group
	group.SetLimit(readers)
	for i, cp := range r.checkpoints {
		group.Go(func() error {
			read[i] = r.keeper.adoptDrills(ctx, r.place, cp)
			return nil
		})
	}
	_ = group.Wait() // none fails
	for _, is := range read {
		if !is {
			r.unread++
		}
	}
	r.checkpoints = nil
}

// adoptDrills brings back the drills of a checkpoint that its database has lost, by the records beside it.
// It reports whether that could be done: what can't be read for now keeps no checkpoint from the catalogue.
func (k *Keeper) adoptDrills(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint) bool {
	a, err := proof.Adopt(ctx, k.store, p, cp, k.keys, false)
	for _, r := range a.Refused {
		k.log.WarnContext(ctx, "the record of a drill that lies in the bank is not believed", "provider", p.Place(), "project", r.ProjectID,
			"checkpoint", r.CheckpointID, "drill", r.DrillID, "reason", r.Reason)
	}
	if len(a.Drills) > 0 {
		k.log.InfoContext(ctx, "drills are known again by their records in the bank", "provider", p.Place(), "project", cp.ProjectID,
			"checkpoint", cp.ID, "drills", a.Drills)
	}
	if err != nil && ctx.Err() == nil {
		k.log.ErrorContext(ctx, "the records of drills beside a checkpoint can't be read; the next start tries again", "provider", p.Place(),
			"project", cp.ProjectID, "checkpoint", cp.ID, "error", err)
	}
	return err == nil
}
