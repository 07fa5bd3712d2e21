package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// prune deletes the copies of the plan that the target is not to keep any more, through the gate
// that all deletions go through: what is held there, or in use, stays until the next time. The
// newest good copy always stays.
func (l lane) prune(ctx context.Context) {
	keep := l.to.Keep()
	if keep.Newest == 0 && keep.Days == 0 {
		return
	}
	since := l.now().AddDate(0, 0, -keep.Days)
	good := 0
	for page := (store.Page{Limit: store.MaxLimit}); ; {
		found, err := l.store.Checkpoints(ctx, store.CheckpointFilter{
			ProjectID: l.op.ProjectID, ProviderID: l.op.ProviderID, PlanID: l.op.PlanID, Bank: l.to.Target,
			Status: string(karbor.CheckpointAvailable),
		}, page)
		if err != nil {
			l.log.ErrorContext(ctx, "which copies a target is to keep can't be found out", "operation", l.op.ID, "provider", l.to.Place(), "error", err)
			return
		}
		for _, cp := range found {
			page.Marker = cp.ID
			good++
			beyond := keep.Newest > 0 && good > keep.Newest
			old := keep.Days > 0 && cp.CreatedAt.Before(since)
			if good == 1 || !beyond && !old {
				continue
			}
			why := fmt.Sprintf("The target %s keeps the newest %d copies of a plan.", l.to.Target, keep.Newest)
			if !beyond {
				why = fmt.Sprintf("The target %s keeps copies for %d days.", l.to.Target, keep.Days)
			}
			l.expire(ctx, cp, why)
		}
		if len(found) < store.MaxLimit {
			return
		}
	}
}

// expire has one copy deleted.
func (l lane) expire(ctx context.Context, cp karbor.Checkpoint, why string) {
	caller := Caller{Identity: &karbor.Identity{ProjectID: l.op.ProjectID}}
	err := l.delete(ctx, caller, deletion{providerID: l.op.ProviderID, id: cp.ID, by: ByRetention, reason: why})
	level := l.log.InfoContext
	if err != nil {
		level = l.log.WarnContext
	}
	level(ctx, "a target is not to keep a copy any more", "provider", l.to.Place(), "copy", cp.ID, "checkpoint", cp.CopyOf, "error", err)
}
