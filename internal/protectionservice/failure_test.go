package protectionservice_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

func (s *site) restore(t *testing.T, checkpoint string) string {
	t.Helper()
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: checkpoint})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// failing gives a plan of two volumes, of which the second can't be restored: Main
// of the first makes new-v1, and its undo does what undo says.
func (s *site) failing(undo func(id string) error) (checkpoint string) {
	made := make(chan struct{})
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			if c.Node.ID == "v2" {
				select {
				case <-made:
				case <-ctx.Done():
				}
				return karbor.Errorf(karbor.OverLimit, "there is no room")
			}
			c.NotKept("the name")
			if err := c.NewResources.SetPart(ctx, "part", "new-part"); err != nil {
				return err
			}
			return c.NewResources.Set(ctx, "new-"+c.Node.ID)
		},
		Complete: func(ctx context.Context, _ *protection.Call) error {
			close(made)
			<-ctx.Done()
			return ctx.Err()
		},
		Undo: func(_ context.Context, c *protection.Call) error { return undo(c.Node.ID) },
	})
	return s.until(s.protect(s.plan(volume("v1"), volume("v2")))).ID
}

func TestUndoneRestoreIsToldByTheOriginalIDs(t *testing.T) {
	s := newSite(t)
	cp := s.failing(func(string) error { return nil })
	id := s.restore(t, cp)
	r := s.untilRestored(id)
	want := map[string]karbor.ResourceState{
		"OS::Cinder::Volume#v1": karbor.ResourceError, "OS::Cinder::Volume#v2": karbor.ResourceError,
	}
	if diff := cmp.Diff(want, r.ResourcesStatus); diff != "" || r.Status != karbor.RestoreFail {
		t.Errorf("the restore is %s (-want +got):\n%s", r.Status, diff)
	}
	reasons := map[string]string{
		"OS::Cinder::Volume#v1": "stopped, as the operation failed elsewhere",
		"OS::Cinder::Volume#v2": `volume "v-v2" (v2): there is no room`,
	}
	if diff := cmp.Diff(reasons, r.ResourcesReason); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	rows, err := s.service.RestoreProgress(t.Context(), s.caller(), id)
	if err != nil || rows[0].NewID != "" || rows[0].NotKept != nil || rows[0].State != karbor.ResourceError {
		t.Errorf("progress is %+v, %v", rows, err)
	}
}

func TestRestoreThatCannotBeUndoneTellsWhatIsLeft(t *testing.T) {
	s := newSite(t)
	cp := s.failing(func(id string) error {
		if id == "v1" {
			return karbor.Errorf(karbor.Forbidden, "the cloud lets nobody delete it")
		}
		return nil
	})
	id := s.restore(t, cp)
	r := s.untilRestored(id)
	want := map[string]string{
		"OS::Cinder::Volume#v1": "stopped, as the operation failed elsewhere; what was made could not be removed: " +
			`volume "v-v1" (v1): the cloud lets nobody delete it; the new volume new-v1 is left`,
		"OS::Cinder::Volume#v2": `volume "v-v2" (v2): there is no room`,
	}
	if diff := cmp.Diff(want, r.ResourcesReason); diff != "" || r.Status != karbor.RestoreFail {
		t.Errorf("the restore is %s (-want +got):\n%s", r.Status, diff)
	}
	l := s.log(t, cp, karbor.RestoreOperation)
	text := `volume "v-v2" (v2): there is no room; what was made could not be removed: volume "v-v1" (v1): the cloud lets nobody delete it`
	if l.Status != "error" || l.ErrorInfo != text || l.EndedAt.Before(l.StartedAt) {
		t.Errorf("log is %+v", l)
	}
	rows, err := s.service.RestoreProgress(t.Context(), s.caller(), id)
	if err != nil || rows[0].NewID != "new-v1" {
		t.Errorf("progress is %+v, %v", rows, err)
	}
}

func TestRestoreInProgressShowsEachResourceAsItIs(t *testing.T) {
	s := newSite(t)
	gate, undoing := make(chan struct{}), make(chan struct{})
	reached := make(chan string, 10)
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			switch c.Node.ID {
			case "ready":
				return c.NewResources.Set(ctx, "new")
			case "bad":
				reached <- c.Node.ID
				<-gate
				return karbor.Errorf(karbor.Conflict, "it is bad")
			case "again":
				return karbor.Transientf("not now")
			}
			reached <- c.Node.ID
			<-ctx.Done()
			return ctx.Err()
		},
		Undo: func(context.Context, *protection.Call) error {
			<-undoing
			return nil
		},
	})
	server := protection.Hooks{Complete: s.script.note("complete")}
	s.script.set(karbor.RestoreOperation, karbor.ImageType, server)
	resources := []karbor.Resource{volume("ready"), volume("bad"), volume("slow"), volume("again")}
	cp := s.until(s.protect(s.plan(resources...)))
	request := protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID}
	accepted, err := s.service.Restore(t.Context(), s.caller(), request)
	if err != nil {
		t.Fatal(err)
	}
	for key, state := range accepted.ResourcesStatus {
		if state != karbor.ResourcePending || len(accepted.ResourcesStatus) != len(resources) {
			t.Errorf("at first %s is %s", key, state)
		}
	}
	live := func() (map[string]karbor.ResourceState, map[string]string) {
		r, err := s.store.Restore(t.Context(), projectID, accepted.ID)
		if err == nil {
			r, err = s.service.LiveRestore(t.Context(), r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r.ResourcesStatus, r.ResourcesReason
	}
	for range 2 {
		arrives(t, reached)
	}
	s.poll(func() bool {
		status, reasons := live()
		return status["OS::Cinder::Volume#new"] == karbor.ResourceAvailable && reasons["OS::Cinder::Volume#again"] != ""
	})
	status, reasons := live()
	want := map[string]karbor.ResourceState{
		"OS::Cinder::Volume#new": karbor.ResourceAvailable, "OS::Cinder::Volume#bad": karbor.ResourceRestoring,
		"OS::Cinder::Volume#slow": karbor.ResourceRestoring, "OS::Cinder::Volume#again": karbor.ResourceRestoring,
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("in the middle (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"OS::Cinder::Volume#again": `volume "v-again" (again): not now`}, reasons); diff != "" {
		t.Errorf("in the middle (-want +got):\n%s", diff)
	}
	close(gate)
	s.poll(func() bool {
		status, _ := live()
		return status["OS::Cinder::Volume#bad"] == karbor.ResourceError
	})
	if _, reasons := live(); reasons["OS::Cinder::Volume#bad"] != `volume "v-bad" (bad): it is bad` {
		t.Errorf("reasons are %v", reasons)
	}
	close(undoing)
	if r := s.untilRestored(accepted.ID); r.Status != karbor.RestoreFail {
		t.Errorf("the restore is %s", r.Status)
	}
}

func TestFailureThatTheBankDoesNotTakeEndsAndCanBeDeleted(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			s.full.Store(true)
			return karbor.Errorf(karbor.OverLimit, "the bank is full")
		},
	})
	id := s.protect(s.plan(volume("v1")))
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "the bank is full") {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	l := s.log(t, id, karbor.Protect)
	if l.Status != "error" || l.EndedAt.IsZero() || !strings.Contains(l.ErrorInfo, "the bank is full") {
		t.Errorf("log is %+v", l)
	}
	s.revoked(0)
	s.full.Store(false)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("after its deletion the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestCheckpointThatNeverReachedTheBankCanBeDeleted(t *testing.T) {
	s := newSite(t)
	s.full.Store(true)
	id := s.protect(s.plan(volume("v1")))
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "the bank is full") {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	s.full.Store(false)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("after its deletion the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestOperationWhoseProviderIsGoneEnds(t *testing.T) {
	s := newSite(t)
	entered := make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, _ *protection.Call) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		},
		Undo: s.script.note("undo"),
	})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, entered)
	s.none = true
	s.restart()
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], providerID) {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if l := s.log(t, id, karbor.Protect); l.Status != "error" || l.EndedAt.IsZero() || l.ErrorInfo == "" {
		t.Errorf("log is %+v", l)
	}
	// The provider may come back, and remove what was made.
	if l := s.leftovers(id); len(l) != 1 || l[0].GivenUp {
		t.Errorf("the ledger holds %+v", l)
	}
	s.revoked(1)
}

func TestDelegationIsRevokedWhenKeystoneIsBack(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	s.authority.set(karbor.Transientf("Keystone does not answer"))
	if cp := s.until(s.protect(s.plan(volume("v1")))); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	s.stop()
	if granted, revoked := s.authority.counts(); granted != 1 || revoked != 0 {
		t.Errorf("%d delegations made, %d revoked", granted, revoked)
	}
	s.authority.set(nil)
	s.start()
	s.revoked(0)
	s.poll(func() bool {
		left, err := s.store.Revocations(t.Context(), 10)
		return err == nil && len(left) == 0
	})
}

func TestRequestIDGoesAlongWithItsOperation(t *testing.T) {
	s := newSite(t)
	const id = "req-01234567-89ab-4cde-8123-456789abcdef"
	entered := make(chan string, 2)
	hook := func(ctx context.Context, _ *protection.Call) error {
		entered <- openstack.RequestID(ctx)
		if len(entered) < 2 {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: hook})
	ctx := openstack.WithRequestID(t.Context(), id)
	request := protectionservice.ProtectRequest{ProviderID: providerID, PlanID: s.plan(volume("v1"))}
	cp, err := s.service.Protect(ctx, s.caller(), request)
	if err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return len(entered) == 1 })
	s.restart() // another process does not have the request
	s.until(cp.ID)
	for range 2 {
		if got := arrives(t, entered); got != id {
			t.Errorf("the hook has the request id %q, want %q", got, id)
		}
	}
}

func TestOperationThatTheEngineHasLostIsHandedOverAgain(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	s.stop()
	// A second operation is accepted and handed over; then the engine's journal is
	// another's, which knows nothing of it.
	s.start()
	s.usable()
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, _ *protection.Call) error {
			entered <- struct{}{}
			select {
			case <-leave:
			case <-ctx.Done():
			}
			return ctx.Err()
		},
	})
	id = s.protect(s.plan(volume("v2")))
	arrives(t, entered)
	s.poll(func() bool {
		waiting, err := s.store.Undispatched(t.Context(), 10)
		return err == nil && len(waiting) == 0
	})
	s.lost = true
	s.restart()
	arrives(t, entered)
	close(leave)
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestOperationThatEndedInTheEngineOnlyIsEnded(t *testing.T) {
	s := newSite(t)
	entered := make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, _ *protection.Call) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		},
	})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, entered)
	op, err := s.store.OperationOf(t.Context(), projectID, store.Target{CheckpointID: id})
	if err != nil {
		t.Fatal(err)
	}
	s.over = op.ID
	s.restart()
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "without a result") {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	s.revoked(0)
}
