package protectionservice_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// mishap gives the engine that the service gets in place of its own.
func (s *site) mishap(engine workflow.Engine, log *slog.Logger) workflow.Engine {
	switch {
	case s.joined:
		return engine
	case s.balky != nil:
		s.balky.Engine = engine
		return s.balky
	case s.over != "":
		return ended{engine, s.over}
	case s.lost:
		other, err := store.Open(context.Background(), filepath.Join(s.t.TempDir(), "other.db"), store.Options{Now: time.Now})
		if err != nil {
			s.t.Fatal(err)
		}
		empty, err := local.New(local.Options{
			Options: workflow.Options{Actions: s.service.Actions(), Default: s.service.Places()},
			Journal: other.Journal(), Owner: "me", Logger: log, Now: time.Now,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		run, cancel := context.WithCancel(context.Background())
		var parts sync.WaitGroup
		parts.Go(func() { _ = empty.Run(run) })
		s.t.Cleanup(func() {
			cancel()
			parts.Wait()
			_ = other.Close()
		})
		return empty
	}
	return muted{engine, s}
}

// ended is an engine that takes one operation for over, and does nothing for it.
type ended struct {
	workflow.Engine
	operation string
}

func (e ended) Describe(ctx context.Context, id string) (workflow.Description, error) {
	if id == e.operation {
		return workflow.Description{ID: id, State: workflow.Failed}, nil
	}
	return e.Engine.Describe(ctx, id)
}

func (s *site) now() time.Time {
	if at := s.still.Load(); at != nil {
		return *at
	}
	return time.Now().Add(s.ahead)
}

func TestAnOperationWithoutHooksThatIsRepeatedAtItsEndSucceeds(t *testing.T) {
	s := newSite(t)
	s.holds.Store(true)
	id := s.protect(s.plan(volume("v")))
	s.cut(id, karbor.CheckpointAvailable) // and the step is broken off
	s.restart()
	s.holds.Store(false)
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

// The description must come out the same from what was accepted and from what the
// database gives back: a process that dies in between goes on with the latter.
func TestACheckpointIsDescribedAsTheDatabaseHasIt(t *testing.T) {
	s := newSite(t)
	plan := s.plan(karbor.Resource{Type: karbor.VolumeType, ID: "v", Name: "a <b> & \u2028", ExtraInfo: map[string]string{"k": "é"}}, volume("w"))
	cp, err := s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{
		ProviderID: providerID, PlanID: plan, ExtraInfo: map[string]json.RawMessage{"x": []byte(`{ "b": 1.50, "a": "<" }`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := s.until(cp.ID)
	key := "v1/checkpoints/" + projectID + "/" + cp.ID + "/description"
	written := s.bank.Snapshot()[key]
	other := banktest.NewMemory()
	c, err := checkpoint.Open(t.Context(), other, checkpoint.Options{Owner: "other", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, other.Snapshot()[key]); diff != "" || len(written) == 0 {
		t.Errorf("the description is another (-accepted +kept):\n%s", diff)
	}
}
