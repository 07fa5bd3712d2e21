package protectionservice_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// strict is a finder that knows only some resources.
type strict struct {
	finder
	known string
}

func (f strict) Show(_ context.Context, _ karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	if id != f.known {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no volume %s", id)
	}
	return karbor.Resource{Type: f.t, ID: id}, nil
}

func TestListedLeafThatIsNotThereIsRefusedByName(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	s.finders = []protectable.Plugin{strict{finder{karbor.VolumeType, nil}, "v1"}}
	s.restart()
	err := s.attempt(s.plan(volume("v1"), volume("made-up")))
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), "made-up") {
		t.Errorf("protect answers %v", err)
	}
	if n := s.listed(); n != 0 {
		t.Errorf("%d checkpoints are kept", n)
	}
	if err := s.attempt(s.plan(volume("v1"))); err != nil {
		t.Error(err)
	}
}

func TestRestoreIsRefusedWhenTheCheckpointChangesMeanwhile(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	// The authorization comes between the look at the checkpoint and the acceptance.
	s.authority.meanwhile = func() {
		if err := s.store.SetCheckpointStatus(t.Context(), projectID, providerID, id, karbor.CheckpointError); err != nil {
			t.Error(err)
		}
	}
	_, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: id})
	if karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("restore answers %v", err)
	}
}

// balky is an engine that can't start the first operations that it is given.
type balky struct {
	workflow.Engine
	mu      sync.Mutex
	refused map[string]bool
	most    int
}

func (b *balky) Start(ctx context.Context, id string, g workflow.Graph) error {
	b.mu.Lock()
	if len(b.refused) < b.most {
		b.refused[id] = true
	}
	refused := b.refused[id]
	b.mu.Unlock()
	if refused {
		return karbor.Transientf("not now")
	}
	return b.Engine.Start(ctx, id, g)
}

func TestManyOperationsThatCannotStartKeepNoOtherWaiting(t *testing.T) {
	s := newSite(t)
	const most = 100 // as many as are read from the outbox at a time
	s.balky = &balky{refused: map[string]bool{}, most: most}
	s.restart()
	plan := s.plan(volume("v1"))
	var last string
	for range most + 1 {
		last = s.protect(plan)
	}
	if cp := s.until(last); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the last one is %s", cp.Status)
	}
}
