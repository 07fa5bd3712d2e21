package protectionservice_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

const otherProject = "fedcba9876543210fedcba9876543210"

// protectIn protects one volume of another project, and gives the checkpoint's id.
func (s *site) protectIn(project, volumeID string) string {
	s.t.Helper()
	p := karbor.Plan{
		ID: karbor.NewID(), ProjectID: project, Name: "p", ProviderID: providerID, Status: karbor.PlanSuspended,
		Resources: []karbor.Resource{volume(volumeID)}, Parameters: karbor.Parameters{},
	}
	if err := s.store.CreatePlan(s.t.Context(), p, -1); err != nil {
		s.t.Fatal(err)
	}
	caller := protectionservice.Caller{Identity: &karbor.Identity{UserID: "w", ProjectID: project, CanDelegate: true}, Cloud: cloud{}}
	cp, err := s.service.Protect(s.t.Context(), caller, protectionservice.ProtectRequest{ProviderID: providerID, PlanID: p.ID})
	if err != nil {
		s.t.Fatal(err)
	}
	return cp.ID
}

func (s *site) becomesAvailable(project, id string) {
	s.t.Helper()
	s.poll(func() bool {
		cp, err := s.store.Checkpoint(s.t.Context(), project, providerID, id)
		if err != nil {
			s.t.Fatal(err)
		}
		return cp.Status == karbor.CheckpointAvailable
	})
}

// many are more volumes than one project has places for.
func many() (out []karbor.Resource) {
	for i := range 50 {
		out = append(out, volume(fmt.Sprintf("v%d", i)))
	}
	return out
}

func TestProjectWhoseCloudIsSlowHoldsUpNoOther(t *testing.T) {
	for name, hooks := range map[string]func(protection.Hook) protection.Hooks{
		"in a short hook": func(h protection.Hook) protection.Hooks { return protection.Hooks{PrepareFinish: h} },
		"in main":         func(h protection.Hook) protection.Hooks { return protection.Hooks{Main: h} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			slow, entered, once := make(chan struct{}), make(chan struct{}), sync.Once{}
			s.script.set(karbor.Protect, karbor.VolumeType, hooks(func(ctx context.Context, c *protection.Call) error {
				if c.Node.ID == "mine" {
					return nil
				}
				once.Do(func() { close(entered) })
				select {
				case <-slow:
				case <-ctx.Done():
				}
				return ctx.Err()
			}))
			id := s.protect(s.plan(many()...))
			arrives(t, entered)
			s.becomesAvailable(otherProject, s.protectIn(otherProject, "mine"))
			close(slow)
			s.becomesAvailable(projectID, id)
		})
	}
}

func TestProjectThatMovesMuchHoldsUpNoOther(t *testing.T) {
	s := newSite(t)
	slow, entered := make(chan struct{}), make(chan struct{}, 50)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		w, err := c.Data.Create(ctx, "data")
		if err != nil {
			return err
		}
		if c.Node.ID != "mine" {
			entered <- struct{}{}
			select {
			case <-slow:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		_, err = w.Commit(ctx)
		return err
	}})
	id := s.protect(s.plan(many()...))
	for range 4 {
		arrives(t, entered)
	}
	s.becomesAvailable(otherProject, s.protectIn(otherProject, "mine"))
	if n := len(entered); n > 0 {
		t.Errorf("%d more streams move than there are places", n)
	}
	close(slow)
	s.becomesAvailable(projectID, id)
}
