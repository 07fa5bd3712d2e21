package copies

import (
	"context"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// prune deletes the copies of the plan that the target is not to keep any more, through the gate
// that all deletions go through: what is held there, or in use, stays until the next time. The
// newest good copy always stays. Nothing goes after a request that has brought nothing there.
func (l lane) prune(ctx context.Context) {
	if keep := l.to.Keep(); keep.Newest == 0 && keep.Days == 0 || !l.brought(ctx) {
		return
	}
	good := 0
	for page := (store.Page{Limit: store.MaxLimit}); ; {
		found, err := l.store.Checkpoints(ctx, store.CheckpointFilter{
			ProjectID: l.op.ProjectID, ProviderID: l.op.ProviderID, PlanID: l.op.PlanID, Bank: l.to.Target,
			Status: string(karbor.CheckpointAvailable),
		}, page)
		var keepings map[string]karbor.Keeping
		if err == nil {
			keepings, err = l.store.Keepings(ctx, l.op.ProviderID, idsOf(found))
		}
		if err != nil {
			l.log.ErrorContext(ctx, "which copies a target is to keep can't be found out", "operation", l.op.ID, "provider", l.to.Place(), "error", err)
			return
		}
		for _, cp := range found {
			page.Marker = cp.ID
			if l.store.Claimed(ctx) != nil {
				return // another lane goes on
			}
			if why := l.beyond(cp, good); why != "" {
				l.expire(ctx, cp, why)
			}
			if !faulty(keepings[cp.ID]) {
				good++
			}
		}
		if len(found) < store.MaxLimit {
			return
		}
	}
}

// brought reports whether the target has got a copy for the request, in this run of the lane or in
// one that was broken off.
func (l lane) brought(ctx context.Context) bool {
	items, err := l.store.Copied(ctx, l.op.ID)
	if err != nil {
		l.log.ErrorContext(ctx, "which copies a target has got can't be found out", "operation", l.op.ID, "provider", l.to.Place(), "error", err)
	}
	return slices.ContainsFunc(items, func(item store.Copied) bool {
		return item.Bank == l.to.Target && item.Status == karbor.CopyFinished
	})
}

// beyond says why the target is not to keep a copy that has so many newer ones that are good; "" if
// it is.
func (l lane) beyond(cp karbor.Checkpoint, newer int) string {
	keep := l.to.Keep()
	switch {
	case newer == 0: // the newest good one, or one that is newer still
		return ""
	case keep.Newest > 0 && newer >= keep.Newest:
		return fmt.Sprintf("The target %s keeps the newest %d copies of a plan.", l.to.Target, keep.Newest)
	case keep.Days > 0 && cp.CreatedAt.Before(l.now().AddDate(0, 0, -keep.Days)):
		return fmt.Sprintf("The target %s keeps copies for %d days.", l.to.Target, keep.Days)
	}
	return ""
}

func idsOf(found []karbor.Checkpoint) []string {
	ids := make([]string, len(found))
	for i, cp := range found {
		ids[i] = cp.ID
	}
	return ids
}

// expire has one copy deleted.
func (l lane) expire(ctx context.Context, cp karbor.Checkpoint, why string) {
	err := l.delete(ctx, l.op.ProjectID, l.op.ProviderID, cp.ID, why)
	level := l.log.InfoContext
	if err != nil {
		level = l.log.WarnContext
	}
	level(ctx, "a target is not to keep a copy any more", "provider", l.to.Place(), "copy", cp.ID, "checkpoint", cp.CopyOf, "error", err)
}
