package protectionservice_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// drills gives what the service needs for drills.
func drills(t *testing.T) protectionservice.Drills {
	t.Helper()
	file, err := evidence.NewKeyFile()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := evidence.NewSigner(file)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{}
	return protectionservice.Drills{Limit: 1, Signer: signer, Program: "test", Prober: drill.NewProber(drill.Options{
		Dial: dialer.DialContext, Poll: time.Millisecond, ImageTimeout: time.Second, Now: time.Now,
	})}
}

// newDrillShop is a shop whose resources can be drilled, with undo hooks that note what they
// remove.
func newDrillShop(t *testing.T, restore protection.Hook) *shop {
	t.Helper()
	s := newShop(t)
	for _, rt := range []karbor.ResourceType{karbor.ServerType, karbor.VolumeType, karbor.ImageType} {
		hooks := protection.Hooks{Main: s.restoreOne, Undo: s.script.note("undo"), Drill: protection.DrilledAlone}
		if rt == karbor.ServerType {
			hooks = protection.Hooks{Complete: s.restoreOne, Undo: s.script.note("undo"), Drill: protection.DrilledAlone}
		}
		if restore != nil && rt == karbor.VolumeType {
			hooks.Main = restore
		}
		s.script.set(karbor.RestoreOperation, rt, hooks)
	}
	s.restart()
	return s
}

// ended waits for the end of a drill.
func (s *shop) ended(id string) karbor.Drill {
	s.t.Helper()
	var d karbor.Drill
	s.poll(func() bool {
		var err error
		if d, err = s.store.Drill(s.t.Context(), projectID, id); err != nil {
			s.t.Fatal(err)
		}
		return d.Status != karbor.DrillRunning
	})
	return d
}

func (s *shop) request() protectionservice.DrillRequest {
	// Nothing of the scripted cloud can be probed: the order of things is looked at.
	return protectionservice.DrillRequest{
		ProviderID: providerID, CheckpointID: s.checkpoint, Probes: karbor.DrillProbes{Console: &karbor.ConsoleProbe{Pattern: "x", Timeout: 1}},
	}
}

// undone gives what was undone, in order.
func (s *shop) undone() []string {
	var out []string
	for _, call := range s.script.noted() {
		if rest, ok := strings.CutPrefix(call, "undo "); ok {
			out = append(out, rest)
		}
	}
	return out
}

func TestDrillUndoesWhatItRestoredAndProvesNothingWithoutAProbe(t *testing.T) {
	s := newDrillShop(t, nil)
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	got := s.ended(d.ID)
	if got.Verdict != karbor.DrillInconclusive || got.Recovery <= 0 {
		t.Errorf("the drill is %+v", got)
	}
	if len(s.restored) != 6 {
		t.Errorf("it restored %v", s.restored)
	}
	undone := s.undone()
	if len(undone) != 6 || slices.Index(undone, "server/s1") > slices.Index(undone, "volume/v1") {
		t.Errorf("it undid %v; want all six, servers before their volumes", undone)
	}
}

func TestDrillWhoseRestoreFailsHasFailed(t *testing.T) {
	s := newDrillShop(t, func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Internal, "the bytes are damaged")
	})
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	got := s.ended(d.ID)
	if got.Verdict != karbor.DrillFailed || got.Status != karbor.DrillError || !strings.Contains(got.Reason, "the bytes are damaged") || got.Recovery != 0 {
		t.Errorf("the drill is %+v", got)
	}
	// The first one that fails keeps the others from being begun.
	if undone := s.undone(); !slices.ContainsFunc(undone, func(name string) bool { return strings.HasPrefix(name, "volume/") }) {
		t.Errorf("it undid %v", undone)
	}
}

func TestDrillThatCanNotRemoveAllSaysSoAndIsSweptLater(t *testing.T) {
	s := newDrillShop(t, nil)
	stuck := protection.Hooks{Main: s.restoreOne, Drill: protection.DrilledAlone, Undo: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Forbidden, "it may not be deleted")
	}}
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, stuck)
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	got := s.ended(d.ID)
	if got.Status != karbor.DrillError || !strings.Contains(got.Reason, "it may not be deleted") {
		t.Errorf("the drill is %+v", got)
	}
	left, err := s.store.LeftoversOf(t.Context(), providerID, s.checkpoint)
	// The scripted cloud has no networks to look for either.
	left = slices.DeleteFunc(left, func(l store.Leftover) bool { return !strings.HasPrefix(string(l.Key), "volume/") })
	if err != nil || len(left) != 3 {
		t.Errorf("the ledger has %v, %v; want the three volumes", left, err)
	}
}

func TestDrillsThatCanNotBegin(t *testing.T) {
	s := newShop(t) // whose plug-in can't be drilled
	if _, err := s.service.Drill(t.Context(), s.caller(), s.request()); karbor.KindOf(err) != karbor.Conflict || err == nil {
		t.Errorf("a plug-in that can't be drilled: %v", err)
	}
	r := s.request()
	r.CheckpointID = karbor.NewID()
	if _, err := s.service.Drill(t.Context(), s.caller(), r); karbor.KindOf(err) != karbor.NotFound || err == nil {
		t.Errorf("an unknown checkpoint: %v", err)
	}
	r = s.request()
	r.Mapping = map[string]any{"networks": map[string]any{"*": "x"}}
	if _, err := newDrillShop(t, nil).service.Drill(t.Context(), s.caller(), r); err == nil {
		t.Error("a drill goes onto a network of the tenant's")
	}
}

func TestDrillOfSomeResources(t *testing.T) {
	s := newDrillShop(t, nil)
	r := s.request()
	r.Resources = []string{"OS::Nova::Server#s2"}
	d, err := s.service.Drill(t.Context(), s.caller(), r)
	if err != nil {
		t.Fatal(err)
	}
	s.ended(d.ID)
	if got := slices.Sorted(slices.Values(s.restored)); !slices.Equal(got, []string{"s2", "v2"}) {
		t.Errorf("it restored %v", got)
	}
}
