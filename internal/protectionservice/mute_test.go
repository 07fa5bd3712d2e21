package protectionservice_test

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// muted is an engine that may not answer.
type muted struct {
	workflow.Engine
	s *site
}

// Describe implements workflow.Engine.
func (m muted) Describe(ctx context.Context, id string) (workflow.Description, error) {
	if m.s.mute.Load() {
		return workflow.Description{}, karbor.Transientf("describing the operation %s: the engine's cluster does not answer", id)
	}
	return m.Engine.Describe(ctx, id)
}

func TestWithoutAnAnswerOfTheEngineTheRowsAreTold(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	s.poll(func() bool { return len(s.operation(id).Progress) > 0 && s.operation(id).Progress[0].Phase == "main" })
	s.mute.Store(true)
	o := s.operation(id)
	if o.State != protectionservice.OperationRunning || len(o.Progress) != 1 || o.Progress[0].Phase != "main" {
		t.Errorf("it is %+v", o)
	}
	if p, err := s.service.CheckpointProgress(t.Context(), s.checkpointOf(id)); err != nil || len(p) != 1 {
		t.Errorf("the checkpoint's progress is %+v, %v", p, err)
	}
	if err := s.cancel(id, "enough"); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointError {
		t.Errorf("the checkpoint is %s", cp.Status)
	}
	s.mute.Store(false)
}
