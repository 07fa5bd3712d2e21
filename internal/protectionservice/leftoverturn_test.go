package protectionservice_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

// leaves has volumes that can't be protected, and of which something stays in the cloud: undo removes
// it later, of a volume of the id that it gets.
func (s *site) leaves(undo func(ctx context.Context, volume string) error) (remove func()) {
	var later atomic.Bool
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		},
		Undo: func(ctx context.Context, c *protection.Call) error {
			if !later.Load() {
				return refusal()
			}
			return undo(ctx, c.Node.ID)
		},
	})
	return func() { later.Store(true) }
}

// protectAs protects volumes in a checkpoint each, in a project, and gives the checkpoints' ids.
func (s *site) protectAs(project string, volumes ...string) (ids []string) {
	s.t.Helper()
	caller := s.caller()
	caller.Identity.ProjectID = project
	for _, v := range volumes {
		plan := karbor.Plan{
			ID: karbor.NewID(), ProjectID: project, Name: "p", ProviderID: providerID, Status: karbor.PlanSuspended,
			Resources: []karbor.Resource{volume(v)}, Parameters: karbor.Parameters{},
		}
		if err := s.store.CreatePlan(s.t.Context(), plan, -1); err != nil {
			s.t.Fatal(err)
		}
		cp, err := s.service.Protect(s.t.Context(), caller, protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan.ID})
		if err != nil {
			s.t.Fatal(err)
		}
		s.poll(func() bool { return len(s.leftovers(cp.ID)) == 1 })
		ids = append(ids, cp.ID)
	}
	return ids
}

func TestACloudThatHangsKeepsNobodyElsesThingsFromBeingRemoved(t *testing.T) {
	const neighbour = "fedcba9876543210fedcba9876543210"
	s := newSite(t)
	remove := s.leaves(func(ctx context.Context, volume string) error {
		if volume == "theirs" {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	s.protectAs(projectID, "v1", "v2", "v3", "v4")
	theirs := s.protectAs(neighbour, "theirs")
	s.stop()
	remove()
	s.ahead = 10 * time.Minute
	s.start()
	s.poll(func() bool { return len(s.leftovers(theirs[0])) == 0 })
}

func TestWhatAnotherProcessTriesToRemoveIsLeftToIt(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	var tried []string
	hangs := make(chan struct{}, 10)
	fails := true
	remove := s.leaves(func(ctx context.Context, volume string) error {
		mu.Lock()
		tried = append(tried, volume)
		failing := fails
		mu.Unlock()
		if volume == "hangs" {
			hangs <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		if failing {
			return karbor.Errorf(karbor.Forbidden, "not yet")
		}
		return nil
	})
	ids := s.protectAs(projectID, "hangs", "fails")
	s.stop()
	remove()
	s.ahead = 10 * time.Minute
	s.start()
	arrives(t, hangs)
	s.poll(func() bool { l := s.leftovers(ids[1]); return len(l) == 1 && strings.Contains(l[0].Reason, "not yet") })
	mu.Lock()
	fails = false
	mu.Unlock()
	// The clock of the other one is so far ahead that both are due for it.
	other := &site{t: t, dir: s.dir, bank: s.bank, authority: s.authority, script: s.script, lost: true, ahead: 20 * time.Minute}
	other.start()
	defer other.stop()
	s.poll(func() bool { return len(s.leftovers(ids[1])) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if n := len(slices.DeleteFunc(tried, func(volume string) bool { return volume != "hangs" })); n != 1 {
		t.Errorf("what one process tries to remove was tried %d times", n)
	}
}

// TestADeleteThatIsBrokenOffRemovesWhatIsLeftInItsNextRun ends the process while a delete removes what a protect had left.
func TestADeleteThatIsBrokenOffRemovesWhatIsLeftInItsNextRun(t *testing.T) {
	s := newSite(t)
	hangs := make(chan struct{}, 1)
	var tries atomic.Int32
	remove := s.leaves(func(ctx context.Context, _ string) error {
		if tries.Add(1) > 1 {
			return nil
		}
		hangs <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	id := s.protectAs(projectID, "v1")[0]
	remove()
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	arrives(t, hangs)
	s.restart()
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted || len(s.leftovers(id)) > 0 || tries.Load() != 2 {
		t.Errorf("the checkpoint is %s, %d tries were made, and the ledger holds %v", cp.Status, tries.Load(), s.leftovers(id))
	}
}
