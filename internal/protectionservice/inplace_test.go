package protectionservice_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// overwriting gives volumes that can be restored in place. protect runs when they are
// protected.
func overwriting(s *site, protect, main protection.Hook) {
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: protect})
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{
		PrepareFinish: s.script.note("safe"), Main: main, Complete: s.script.note("settled"), Undo: s.script.note("undo"),
	})
}

func inPlace(checkpoint string) protectionservice.RestoreRequest {
	return protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: checkpoint, Choices: karbor.RestoreChoices{InPlace: true}}
}

func (s *site) overwrite(checkpoint string) karbor.Restore {
	s.t.Helper()
	r, err := s.service.Restore(s.t.Context(), s.caller(), inPlace(checkpoint))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.untilRestored(r.ID)
}

func TestRestoreInPlaceComesAfterASafetyCheckpointAndIsUndoneByIt(t *testing.T) {
	s := newSite(t)
	own := func(ctx context.Context, c *protection.Call) error {
		if err := c.NewResources.Set(ctx, c.Node.ID); err != nil {
			return err
		}
		return s.script.note("overwritten")(ctx, c)
	}
	overwriting(s, s.script.note("protected"), own)
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	r := s.overwrite(cp.ID)
	if r.Status != karbor.RestoreSuccess || r.ResourcesStatus["OS::Cinder::Volume#v1"] != karbor.ResourceAvailable {
		t.Fatalf("the restore is %s: %v %v", r.Status, r.ResourcesStatus, r.ResourcesReason)
	}
	notes := s.script.noted()
	last := func(word string) int {
		for i, n := range slices.Backward(notes) {
			if strings.HasPrefix(n, word+" ") {
				return i
			}
		}
		return -1
	}
	first := func(word string) int {
		return slices.IndexFunc(notes, func(n string) bool { return strings.HasPrefix(n, word+" ") })
	}
	if last("protected") != 3 || first("safe") < 4 || first("overwritten") < last("safe") || first("settled") < last("overwritten") || last("undo") >= 0 {
		t.Errorf("the order is %q", notes)
	}
	safety := s.checkpointOf(r.Choices.SafetyCheckpointID)
	if safety.Status != karbor.CheckpointAvailable || len(safety.Graph.Nodes()) != 2 || string(safety.ExtraInfo["safety_of"]) != `"`+cp.ID+`"` {
		t.Errorf("the safety checkpoint is %s, of %d resources: %v", safety.Status, len(safety.Graph.Nodes()), safety.ExtraInfo)
	}
	undone := s.overwrite(safety.ID)
	if undone.Status != karbor.RestoreSuccess || undone.Choices.SafetyCheckpointID == safety.ID {
		t.Errorf("the undoing restore is %s, with the safety checkpoint %s", undone.Status, undone.Choices.SafetyCheckpointID)
	}
}

func TestNothingIsOverwrittenWhenTheSafetyCheckpointFails(t *testing.T) {
	s := newSite(t)
	fails := false
	overwriting(s, func(context.Context, *protection.Call) error {
		if fails {
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		}
		return nil
	}, s.script.note("overwritten"))
	cp := s.until(s.protect(s.plan(volume("v1"))))
	fails = true
	r := s.overwrite(cp.ID)
	if r.Status != karbor.RestoreFail || !strings.Contains(r.ResourcesReason["OS::Cinder::Volume#v1"], "nothing was overwritten") {
		t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
	if notes := s.script.noted(); len(notes) > 0 {
		t.Errorf("done was %q", notes)
	}
}

func TestFailedRestoreInPlaceIsUndoneEverywhere(t *testing.T) {
	s := newSite(t)
	done := make(chan struct{})
	overwriting(s, nil, func(ctx context.Context, c *protection.Call) error {
		if c.Node.ID == "v2" {
			<-done
			return karbor.Errorf(karbor.Conflict, "it is locked")
		}
		defer close(done)
		return c.NewResources.Set(ctx, c.Node.ID)
	})
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	r := s.overwrite(cp.ID)
	notes := s.script.noted()
	if r.Status != karbor.RestoreFail || !slices.Contains(notes, "undo volume/v1") || !slices.Contains(notes, "undo volume/v2") ||
		slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "settled") }) {
		t.Errorf("the restore is %s, done was %q", r.Status, notes)
	}
}

//karbor:tries no-in-place of any
func TestWhatCanNotBeOverwrittenIsRefusedAndForetold(t *testing.T) {
	s := newSite(t)
	overwriting(s, nil, s.script.note("overwritten"))
	cp := s.until(s.protect(s.plan(server("s1"), volume("v1"))))
	ahead, err := s.service.Preflight(t.Context(), s.caller(), inPlace(cp.ID))
	if err != nil {
		t.Fatal(err)
	}
	if ahead.Ready() || len(ahead.Findings) != 1 || ahead.Findings[0].Resource != "OS::Nova::Server#s1" || !strings.Contains(ahead.Findings[0].Message, "in place") {
		t.Errorf("foretold is %+v", ahead)
	}
	if _, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID)); karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), "server s1") {
		t.Errorf("the restore is answered %v", err)
	}
	if n := s.listed(); n != 1 {
		t.Errorf("there are %d checkpoints", n)
	}
	chosen := inPlace(cp.ID)
	chosen.Choices.Resources = []string{"OS::Cinder::Volume#v1"}
	for name, change := range map[string]func(*protectionservice.RestoreRequest){
		"keep_on_failure": func(r *protectionservice.RestoreRequest) { r.KeepOnFailure = true },
		"project":         func(r *protectionservice.RestoreRequest) { r.Target = "http://there/v3" },
		"mapping":         func(r *protectionservice.RestoreRequest) { r.Choices.Mapping = map[string]any{"power": "stopped"} },
	} {
		wrong := chosen
		change(&wrong)
		if _, err := s.service.Restore(t.Context(), s.caller(), wrong); karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), name) {
			t.Errorf("%s is answered %v", name, err)
		}
	}
	if r, err := s.service.Restore(t.Context(), s.caller(), chosen); err != nil || s.untilRestored(r.ID).Status != karbor.RestoreSuccess {
		t.Errorf("of the volume alone: %v", err)
	}
}

//karbor:tries no-in-place of any
func TestARefusalToOverwriteTellsWhatElseThereIs(t *testing.T) {
	s := newSite(t)
	s.script.instead = map[karbor.ResourceType]string{karbor.VolumeType: "give volume_id"}
	for want, resource := range map[string]karbor.Resource{
		"volume v1 (v-v1) can't be restored in place by this provider: give volume_id":                                    volume("v1"),
		"server s1 (s-s1) can't be restored in place by this provider: leave in_place out, which makes new resources, or": server("s1"),
	} {
		cp := s.until(s.protect(s.plan(resource)))
		if _, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID)); karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), want) {
			t.Errorf("the restore of the %s is answered %v; want %q", resource.Type.Word(), err, want)
		}
		ahead, err := s.service.Preflight(t.Context(), s.caller(), inPlace(cp.ID))
		if err != nil || len(ahead.Findings) != 1 || !strings.Contains(ahead.Findings[0].Message, want) {
			t.Errorf("foretold of the %s is %+v, %v; want %q", resource.Type.Word(), ahead.Findings, err, want)
		}
	}
}

func TestNothingIsRewrittenOnceARestoreInPlaceIsOver(t *testing.T) {
	s := newSite(t)
	overwriting(s, nil, nil)
	var undone atomic.Int32
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error { return karbor.Errorf(karbor.Conflict, "it is locked") },
		Undo: func(context.Context, *protection.Call) error {
			undone.Add(1)
			return refusal()
		},
	})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	r := s.overwrite(cp.ID)
	reason := r.ResourcesReason["OS::Cinder::Volume#v1"]
	if r.Status != karbor.RestoreFail || !strings.Contains(reason, "lets nobody") || !strings.Contains(reason, "safety checkpoint "+r.Choices.SafetyCheckpointID) {
		t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
	tries := undone.Load()
	s.stop()
	s.ahead = time.Hour
	s.restart()
	s.poll(func() bool { l := s.leftovers(cp.ID); return len(l) == 0 || l[0].Tries > 0 && l[0].GivenUp })
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return s.listed() == 1 })
	if n := undone.Load(); n != tries {
		t.Errorf("after its end the volume was brought back %d times", n-tries)
	}
}

func TestACancelGivesNoShortLimitToBringBackWhatWasOverwritten(t *testing.T) {
	s := newSite(t)
	overwriting(s, nil, nil)
	main, begun := blocked()
	var tries atomic.Int32
	left := make(chan time.Duration, 100)
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{Main: main, Undo: func(ctx context.Context, _ *protection.Call) error {
		until, _ := ctx.Deadline()
		left <- time.Until(until)
		if tries.Add(1) <= 3 {
			return karbor.Transientf("the volume is reverting")
		}
		return nil
	}})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	r, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID))
	if err != nil {
		t.Fatal(err)
	}
	arrives(t, begun)
	if err := s.cancel(r.ID, ""); err != nil {
		t.Fatal(err)
	}
	if r := s.untilRestored(r.ID); r.ResourcesReason["OS::Cinder::Volume#v1"] != "cancelled by ada" || len(s.leftovers(cp.ID)) > 0 {
		t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
	if l := arrives(t, left); l < 10*time.Minute {
		t.Errorf("a try has %v", l)
	}
}

func TestNothingElseWorksOnWhatIsBeingOverwritten(t *testing.T) {
	s := newSite(t)
	overwriting(s, nil, nil)
	main, begun := blocked()
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{Main: main})
	plan, other := s.plan(volume("v1")), s.plan(volume("v2"))
	cp := s.until(s.protect(plan))
	r, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID))
	if err != nil {
		t.Fatal(err)
	}
	arrives(t, begun)
	before := s.listed()
	if _, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID)); karbor.KindOf(err) != karbor.Conflict || !strings.Contains(karbor.Sentence(err), r.ID) {
		t.Errorf("a second restore in place is answered %v", err)
	}
	if _, err := s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("a protect is answered %v", err)
	}
	if n := s.listed(); n != before {
		t.Errorf("there are %d checkpoints more", n-before)
	}
	s.until(s.protect(other))
	if err := s.cancel(r.ID, ""); err != nil {
		t.Fatal(err)
	}
	s.untilRestored(r.ID)
	s.until(s.protect(plan))
}

func TestNothingIsOverwrittenUnderAProtect(t *testing.T) {
	s := newSite(t)
	overwriting(s, nil, nil)
	plan := s.plan(volume("v1"))
	cp := s.until(s.protect(plan))
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	id := s.protect(plan)
	arrives(t, begun)
	before := s.listed()
	if _, err := s.service.Restore(t.Context(), s.caller(), inPlace(cp.ID)); karbor.KindOf(err) != karbor.Conflict || !strings.Contains(karbor.Sentence(err), id) {
		t.Errorf("it is answered %v", err)
	}
	// No safety checkpoint belongs to a restore that was refused.
	if n := s.listed(); n != before {
		t.Errorf("there are %d checkpoints more", n-before)
	}
	if err := s.cancel(id, ""); err != nil {
		t.Fatal(err)
	}
	s.until(id)
}

func TestTheTenantIsToldWhatKeepsTheRestoredBytesAfterAFailure(t *testing.T) {
	s := newSite(t)
	const keeps = "The volume keeps what was restored."
	settled := make(chan struct{})
	overwriting(s, nil, nil)
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			c.NotKept("The volume has another image.")
			return c.NewResources.Set(ctx, c.Node.ID)
		},
		Complete: func(_ context.Context, c *protection.Call) error {
			if c.Node.ID == "v1" {
				close(settled)
				return nil
			}
			<-settled
			return karbor.Errorf(karbor.Conflict, "the server does not start")
		},
		Undo: func(_ context.Context, c *protection.Call) error {
			if c.Node.ID == "v1" {
				c.NotKept(keeps)
			}
			return nil
		},
	})
	cp := s.until(s.protect(s.plan(volume("v1"), volume("v2"))))
	r := s.overwrite(cp.ID)
	one, two := r.ResourcesReason["OS::Cinder::Volume#v1"], r.ResourcesReason["OS::Cinder::Volume#v2"]
	if r.Status != karbor.RestoreFail || !strings.Contains(one, keeps) || strings.Contains(one+two, "another image") || strings.Contains(one+two, "is left") {
		t.Errorf("the restore is %s: %q, %q", r.Status, one, two)
	}
	op, err := s.store.OperationOf(t.Context(), projectID, store.Target{RestoreID: r.ID})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.store.Resources(t.Context(), op.ID)
	if err != nil {
		t.Fatal(err)
	}
	told := map[karbor.NodeKey][]string{}
	for _, row := range rows {
		told[row.Key] = row.NotKept
	}
	if len(told["volume/v2"]) > 0 || !slices.Equal(told["volume/v1"], []string{keeps}) {
		t.Errorf("told is %v", told)
	}
}
