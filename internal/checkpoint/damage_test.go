package checkpoint

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

func TestDamagedCheckpointsAreToldAndPassedOver(t *testing.T) {
	c := newClock()
	m := memory(c)
	dead := open(t, m, c, "dead")
	ids := []string{cpID, volumeID, imageID, serverID}
	for _, id := range ids {
		must(t, dead.Create(t.Context(), other(id, 0)))
	}
	for id, text := range map[string]string{volumeID: "{", imageID: `{"layout":1,"resource_graph":[]}`} {
		must(t, m.Put(t.Context(), descriptionKey(project, id), strings.NewReader(text), int64(len(text))))
	}
	c.move(DefaultLeaseExpire)
	living := open(t, m, c, "living")
	looks := map[string]func(found func(karbor.Checkpoint) error, damaged Unread) error{
		"scan": func(found func(karbor.Checkpoint) error, damaged Unread) error {
			return living.Scan(t.Context(), found, damaged)
		},
		"zombies": func(found func(karbor.Checkpoint) error, damaged Unread) error {
			zombies, err := living.Zombies(t.Context(), damaged)
			for _, z := range zombies {
				err = errors.Join(err, found(z))
			}
			return err
		},
	}
	for name, look := range looks {
		var found, damaged []string
		must(t, look(
			func(cp karbor.Checkpoint) error { found = append(found, cp.ID); return nil },
			func(cp karbor.Checkpoint, _ error) { damaged = append(damaged, cp.ProjectID+" "+cp.ID) }))
		slices.Sort(found)
		slices.Sort(damaged)
		if !slices.Equal(found, []string{cpID, serverID}) || !slices.Equal(damaged, []string{project + " " + volumeID, project + " " + imageID}) {
			t.Errorf("%s found %v, and told that %v are damaged", name, found, damaged)
		}
	}
}

func TestCheckpointWhosePurgeHasBegunIsNeverAvailableAgain(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	for _, begun := range []bool{false, true} {
		cp := other(karbor.NewID(), 0)
		must(t, cs.Create(t.Context(), cp))
		set := func(to karbor.CheckpointStatus) error {
			return cs.SetState(t.Context(), project, cp.ID, to, Change{})
		}
		must(t, set(karbor.CheckpointAvailable))
		must(t, set(karbor.CheckpointDeleting))
		if begun {
			must(t, cs.BeginPurge(t.Context(), project, cp.ID))
			must(t, cs.BeginPurge(t.Context(), project, cp.ID))
		}
		must(t, set(karbor.CheckpointErrorDeleting))
		if err := set(karbor.CheckpointAvailable); begun {
			wantKind(t, err, karbor.Conflict)
			must(t, set(karbor.CheckpointError))
			wantKind(t, set(karbor.CheckpointAvailable), karbor.Conflict)
		} else {
			must(t, err)
		}
		must(t, set(karbor.CheckpointDeleting))
		must(t, cs.Purge(t.Context(), project, cp.ID))
		if _, err := m.Stat(t.Context(), purgingKey(project, cp.ID)); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("after the deletion its mark is still there: %v", err)
		}
	}
}

// onlyUrgent is a bank that is full for all but urgent writes.
type onlyUrgent struct{ bank.Bank }

func (o onlyUrgent) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if !bank.IsUrgent(ctx) {
		return karbor.Errorf(karbor.OverLimit, "the bank is full")
	}
	return o.Bank.Create(ctx, key, body, size)
}

func TestAFullBankKeepsItsLeaseAndLetsCheckpointsGo(t *testing.T) {
	c := newClock()
	m := memory(c)
	before := open(t, m, c, "a")
	must(t, before.Create(t.Context(), sample()))
	must(t, addNodes(t.Context(), before, cpID))
	full := open(t, onlyUrgent{m}, c, "a")
	must(t, full.Lease().Renew(t.Context()))
	must(t, full.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{Reasons: map[string]string{"": "the bank is full"}}))
	wantKind(t, full.Create(t.Context(), other(volumeID, 0)), karbor.OverLimit)
	must(t, full.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, full.Purge(t.Context(), project, cpID))
	if _, err := full.Get(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("it is still there: %v", err)
	}
}
