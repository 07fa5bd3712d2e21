package storetest

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testHeldCheckpoints(t *testing.T, s *store.Store) {
	ctx := t.Context()
	hold := func(c karbor.Checkpoint, until time.Time) {
		_, err := s.KeepCheckpoint(ctx, c.ProjectID, c.ProviderID, c.ID, func(k *karbor.Keeping) error {
			k.Hold = &karbor.Hold{Reason: "audit", At: start, Until: until, UserID: "user"}
			return nil
		})
		must(t, err)
	}
	var all []karbor.Checkpoint
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		c := NewCheckpoint("project")
		c.ID = "0a1b2c3d-0001-4002-8003-00000000000" + id
		c.Status = karbor.CheckpointAvailable
		if id == "4" {
			c.CopyOf, c.Bank = all[0].ID, "far"
		}
		must(t, s.PutCheckpoint(ctx, c))
		all = append(all, c)
	}
	hold(all[0], time.Time{})
	hold(all[1], start.Add(time.Hour))
	hold(all[2], start.Add(time.Minute))
	hold(all[3], time.Time{})
	now := start.Add(30 * time.Minute)
	one, two := store.HeldCheckpoint{ProjectID: "project", CheckpointID: all[0].ID},
		store.HeldCheckpoint{ProjectID: "project", CheckpointID: all[1].ID, Until: start.Add(time.Hour)}
	list := func(target, behind string, limit int) []store.HeldCheckpoint {
		found, err := s.HeldCheckpoints(ctx, "provider", target, now, behind, limit)
		must(t, err)
		return found
	}
	same(t, []store.HeldCheckpoint{one, two}, list("", "", 10))
	same(t, []store.HeldCheckpoint{two}, list("", all[0].ID, 10))
	same(t, []store.HeldCheckpoint{one}, list("", "", 1))
	same(t, []store.HeldCheckpoint{{ProjectID: "project", CheckpointID: all[3].ID}}, list("far", "", 10))

	failed := store.BankLock{Reason: "the bank does not answer", TriedAt: start}
	must(t, s.NoteLock(ctx, "project", "provider", all[0].ID, failed))
	one.Lock = failed
	same(t, []store.HeldCheckpoint{one, two}, list("", "", 10))
	done := store.BankLock{Until: start.Add(time.Hour), Objects: 7, TriedAt: now}
	must(t, s.NoteLock(ctx, "project", "provider", all[0].ID, done))
	one.Lock = done
	same(t, []store.HeldCheckpoint{one, two}, list("", "", 10))
	locks, err := s.Locks(ctx, "provider", []string{all[0].ID, all[1].ID})
	must(t, err)
	same(t, map[string]store.BankLock{all[0].ID: done}, locks)
	none, err := s.Locks(ctx, "provider", nil)
	must(t, err)
	same(t, 0, len(none))
}
