package checkpoint

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// locking is a bank that keeps objects for an hour.
type locking struct{ bank.Bank }

func (l locking) Traits() bank.Traits {
	traits := l.Bank.Traits()
	traits.ObjectLock = true
	return traits
}

func (l locking) Stat(ctx context.Context, key string) (bank.Info, error) {
	i, err := l.Bank.Stat(ctx, key)
	if err == nil {
		i.LockedUntil = i.ModTime.Add(time.Hour)
	}
	return i, err
}

func (l locking) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	infos, err := l.Bank.List(ctx, prefix, marker, limit)
	for n := range infos {
		infos[n].LockedUntil = infos[n].ModTime.Add(time.Hour)
	}
	return infos, err
}

func TestACheckpointMayBeRemovedWhenTheLocksOfAllOfItAreOver(t *testing.T) {
	c := newClock()
	cs := open(t, locking{memory(c)}, c, "a")
	must(t, cs.MayRemove(t.Context(), project, cpID)) // there is none
	must(t, cs.Create(t.Context(), sample()))
	c.move(time.Minute)
	must(t, cs.Lease().Renew(t.Context()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{
		Figures: map[string]karbor.Figures{"OS::Cinder::Volume#" + volumeID: {Size: 3}},
	}))
	c.move(time.Hour - time.Second) // the description's is over
	err := cs.MayRemove(t.Context(), project, cpID)
	wantKind(t, err, karbor.Conflict)
	if until := start.Add(time.Hour + time.Minute).Format("2006-01-02 15:04:05 UTC"); err != nil && !strings.Contains(err.Error(), until) {
		t.Errorf("%q does not say %q", err, until)
	}
	c.move(2 * time.Second)
	must(t, cs.MayRemove(t.Context(), project, cpID))
}
