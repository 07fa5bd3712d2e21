package protectionservice_test

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

func TestEngineForgetsOperationsThatEndedAWhileAgo(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	op, err := s.store.OperationOf(t.Context(), projectID, store.Target{CheckpointID: id})
	if err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool {
		d, err := s.engine.Describe(t.Context(), op.ID)
		return err == nil && d.State.Ended()
	})
	s.stop()
	s.ahead = 2 * time.Hour
	s.start()
	s.poll(func() bool {
		_, err := s.engine.Describe(t.Context(), op.ID)
		return karbor.KindOf(err) == karbor.NotFound
	})
	if cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id); err != nil || cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s, %v", cp.Status, err)
	}
}

func TestReasonOfAFailureShowsWhileTheHookIsTriedAgain(t *testing.T) {
	s := newSite(t)
	failed, mended := make(chan struct{}), make(chan struct{})
	tries := 0
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, _ *protection.Call) error {
		if tries++; tries == 1 {
			return karbor.Transientf("Cinder is away")
		}
		close(failed)
		select {
		case <-mended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, failed)
	reason := func() string {
		progress, err := s.service.CheckpointProgress(t.Context(), s.checkpointOf(id))
		if err != nil || len(progress) != 1 {
			t.Fatalf("progress %v, %v", progress, err)
		}
		return progress[0].Reason
	}
	if got, want := reason(), `volume "v-v1" (v1): Cinder is away`; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	close(mended)
	s.until(id)
	if got := reason(); got != "" {
		t.Errorf("after its success the reason is still %q", got)
	}
}
