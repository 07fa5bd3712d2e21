package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
)

// errOver ends a look because its time is over.
var errOver = errors.New("the time is over")

// lookForLost looks, as a part of the day's share, whether available checkpoints have lost documents
// or streams whole: no pack tells of that. It goes on where the share before ended.
func (k *Keeper) lookForLost(ctx context.Context, until time.Time) {
	end, ok := k.turn(ctx)
	if !ok {
		return
	}
	defer end()
	until = earlier(until, k.options.Now().Add(slice))
	looked, lost, after := 0, 0, k.lookedAt
	err := k.options.Checkpoints.Overviews(ctx, "", func(o checkpoint.Overview) error {
		name := o.ProjectID + "/" + o.ID
		if o.Status != karbor.CheckpointAvailable || name <= after {
			return nil
		}
		if !k.options.Now().Before(until) {
			return errOver
		}
		found, err := survey.Lost(ctx, k.options.Checkpoints, o.ProjectID, o.ID)
		if err != nil {
			return err
		}
		for _, l := range found {
			k.log.ErrorContext(ctx, "a checkpoint has lost an object", "project", o.ProjectID, "checkpoint", o.ID, "key", l.Place, "reason", l.Why)
		}
		looked++
		lost += len(found)
		k.lookedAt = name
		return nil
	}, nil)
	switch {
	case err == nil:
		k.lookedAt = "" // the next share begins anew
	case ctx.Err() != nil:
		return
	case !errors.Is(err, errOver):
		k.log.WarnContext(ctx, "looking for what checkpoints have lost failed; it goes on tomorrow", "error", err)
	}
	k.log.InfoContext(ctx, "checkpoints were compared with their lists of contents", "checkpoints", looked, "lost", lost, "all", err == nil)
}
