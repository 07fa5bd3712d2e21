package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
)

// errOver ends a look because its time is over.
var errOver = errors.New("the time is over")

// failuresInRow is how many checkpoints one after another can't be looked at before a look ends: it
// is the bank then, rather than they.
const failuresInRow = 10

// lookForLost looks, as a part of the day's share, whether available checkpoints have lost documents
// or streams whole: no pack tells of that. It goes on where the share before ended.
func (k *Keeper) lookForLost(ctx context.Context, until time.Time) {
	l := look{Keeper: k, until: earlier(until, k.options.Now().Add(slice))}
	err := k.options.Checkpoints.OverviewsAfter(ctx, k.lookedAt, func(o checkpoint.Overview, err error) error {
		return l.next(ctx, o, err)
	})
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		k.lookedAt = "" // the next share begins anew
	case !errors.Is(err, errOver):
		k.log.WarnContext(ctx, "looking for what checkpoints have lost ended early; it goes on tomorrow", "error", err)
	}
	if err := k.states.saveCompared(k.lookedAt, k.shared); err != nil {
		k.log.WarnContext(ctx, "what was compared is not kept over a restart", "error", err)
	}
	k.log.InfoContext(ctx, "checkpoints were compared with their lists of contents", "checkpoints", l.lists.Compared, "lost", l.lost,
		"unlisted", l.lists.Unlisted, "closed", l.lists.Closed, "failed", l.failed, "all", err == nil && l.failed == 0)
}

// look is one share of looking.
type look struct {
	*Keeper
	until time.Time
	// begun says that there was one: a share goes on by one at least, however slow the bank is.
	begun bool
	lists survey.Lists
	// lost counts objects, failed checkpoints, and inRow those of them since one could be looked at.
	lost, failed, inRow int
}

// next looks at one checkpoint. err says why its state can't be read.
func (l *look) next(ctx context.Context, o checkpoint.Overview, err error) error {
	if l.begun && !l.options.Now().Before(l.until) {
		return errOver
	}
	l.begun = true
	if err == nil && o.Status == karbor.CheckpointAvailable {
		err = l.compare(ctx, o)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.lookedAt = o.ProjectID + "/" + o.ID
	if err == nil {
		l.inRow = 0
		return nil
	}
	l.failed++
	if l.inRow++; l.inRow == failuresInRow {
		return fmt.Errorf("%d checkpoints one after another could not be looked at: %w", failuresInRow, err)
	}
	l.log.WarnContext(ctx, "a checkpoint could not be compared with its list of contents; it is tried again when all others were", "project", o.ProjectID, "checkpoint", o.ID, "error", err)
	return nil
}

// compare compares an available checkpoint with its list.
func (l *look) compare(ctx context.Context, o checkpoint.Overview) error {
	found, err := survey.Lost(ctx, l.options.Checkpoints, o)
	if err != nil {
		return err
	}
	for _, one := range found.Lost {
		l.log.ErrorContext(ctx, "a checkpoint has lost an object", "project", o.ProjectID, "checkpoint", o.ID, "key", one.Place, "reason", one.Why)
	}
	l.lists.Add(found)
	l.lost += len(found.Lost)
	return nil
}
