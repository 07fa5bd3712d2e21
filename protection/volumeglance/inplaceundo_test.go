package volumeglance_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// spoilt is a volume that was protected, spoilt, and overwritten in place, up to the end of
// Main.
type spoilt struct {
	small  *miniature
	tenant *protectiontest.Tenant
	volume string
	// before are its spoilt bytes.
	before string
	hooks  protection.Hooks
	single *protectiontest.Single
	call   *protection.Call
}

func overwritten(t *testing.T) *spoilt { return overwrittenAs(t, false) }

// overwrittenAs is overwritten, where the checkpoint is of a volume that could be read only; it
// can't be when it is overwritten.
func overwrittenAs(t *testing.T, readOnly bool) *spoilt {
	t.Helper()
	s := &spoilt{small: newMiniature()}
	s.tenant = protectiontest.NewTenant(t).Through(t, &http.Client{Transport: s.small})
	s.volume = makeVolume(t, s.tenant)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: s.volume, Name: "disk"}, "")
	p := open(t)
	s.single = protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	run := func(op karbor.OperationType) {
		s.hooks, s.call = p.Hooks(op, karbor.VolumeType), s.single.Begin(s.tenant.Cloud, nil, nil)
		s.call.Installation = "here"
		for _, hook := range []protection.Hook{s.hooks.PrepareBegin, s.hooks.PrepareFinish, s.hooks.Main} {
			if hook == nil {
				continue
			}
			if err := s.single.Run(t, hook, s.call); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.metadata()["readonly"] = strconv.FormatBool(readOnly)
	run(karbor.Protect)
	s.metadata()["readonly"] = "false"
	s.tenant.Overwrite(t, s.volume, "what nobody wants ")
	s.before = s.tenant.Sum(t, s.volume)
	run(protection.InPlace)
	if s.tenant.Sum(t, s.volume) == s.before {
		t.Fatal("the volume was not overwritten")
	}
	return s
}

func (s *spoilt) metadata() map[string]any {
	own, _ := s.small.volumes[s.volume].members["metadata"].(map[string]any)
	return own
}

func TestAFailedOverwritingLeavesTheVolumeAsWritableAsItWas(t *testing.T) {
	s := overwrittenAs(t, true)
	if now := s.metadata()["readonly"]; now != "true" {
		t.Errorf("read-only is %v after the restore", now)
	}
	s.undo(t)
	if now := s.metadata()["readonly"]; now != "false" {
		t.Errorf("read-only is %v after the undo", now)
	}
}

// interrupt runs Undo until the cloud was asked for an action, and stops it there.
func (s *spoilt) interrupt(t *testing.T, at string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.small.after = func(action string) {
		if action == at {
			cancel()
		}
	}
	if err := s.hooks.Undo(ctx, s.call); err == nil {
		t.Fatal("Undo was not interrupted")
	}
	s.small.after = nil
}

func (s *spoilt) undo(t *testing.T) {
	t.Helper()
	err := s.single.Run(t, func(ctx context.Context, call *protection.Call) error {
		return protection.Undo(ctx, s.hooks.Undo, call)
	}, s.call)
	if err != nil {
		t.Fatal(err)
	}
	if s.tenant.Sum(t, s.volume) != s.before {
		t.Error("the volume has not the bytes that it had before")
	}
	if n := len(s.small.snapshots); n != 0 {
		t.Errorf("%d snapshots are left", n)
	}
}

func TestARevertThatWasAskedForIsNotAskedForAgain(t *testing.T) {
	s := overwritten(t)
	s.interrupt(t, "revert")
	s.undo(t)
	if n := s.small.asked["revert"]; n != 1 {
		t.Errorf("it was reverted %d times", n)
	}
}

func TestAnImageOfTheSnapshotIsPutBackOnce(t *testing.T) {
	s := overwritten(t)
	s.small.volumes[s.volume].members["status"] = "error"
	reimaged, uploaded := s.small.asked["os-reimage"], s.small.asked["os-volume_upload_image"]
	s.interrupt(t, "os-volume_upload_image")
	s.interrupt(t, "os-reimage")
	s.undo(t)
	if r, u := s.small.asked["os-reimage"]-reimaged, s.small.asked["os-volume_upload_image"]-uploaded; r != 1 || u != 2 { // one upload is the look's
		t.Errorf("it was overwritten %d times, from %d uploads", r, u)
	}
}

func TestSweepAfterTheEndChangesNoVolumeAndLeavesItsSnapshot(t *testing.T) {
	s := overwritten(t)
	s.small.volumes[s.volume].members["status"] = "error"
	s.interrupt(t, "os-volume_upload_image")
	if n := len(s.small.volumes); n != 2 {
		t.Fatalf("there are %d volumes", n)
	}
	// What its tenant has written since.
	s.tenant.Overwrite(t, s.volume, "written since ")
	since := s.tenant.Sum(t, s.volume)
	s.small.asked = map[string]int{}
	if err := s.single.Run(t, s.hooks.Sweep, s.call); err != nil {
		t.Fatal(err)
	}
	if len(s.small.asked) > 0 {
		t.Errorf("the volume was asked for %v", s.small.asked)
	}
	if s.tenant.Sum(t, s.volume) != since {
		t.Error("the volume has not the bytes that were written since")
	}
	if v, n := len(s.small.volumes), len(s.small.snapshots); v != 1 || n != 1 {
		t.Errorf("left are %d volumes and %d snapshots", v, n)
	}
	for _, left := range s.small.snapshots {
		if tags := fmt.Sprint(left.members["metadata"]); strings.Contains(tags, protection.TemporaryTag) || !strings.Contains(tags, protection.CheckpointTag) {
			t.Errorf("the snapshot that stays has the tags %s", tags)
		}
	}
}

// The image that the cloud makes belatedly has the name of the snapshot's, and no bytes.
func TestABelatedImageIsNotTakenForTheSnapshots(t *testing.T) {
	s := overwritten(t)
	s.small.volumes[s.volume].members["status"] = "error"
	now := time.Now()
	intents := protection.NewIntents(s.call.Scratch, func() time.Time { return now }, time.Minute)
	s.call.Intents, s.call.Scratch = intents, intents.Scratch()
	if err := intents.Begin(t.Context(), "temporary image"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // half of what a wait may take
	defer cancel()
	if err := s.hooks.Undo(ctx, s.call); !karbor.IsTransient(err) || ctx.Err() != nil {
		t.Fatalf("while the cloud may still make the image, Undo gives %v", err)
	}
	s.tenant.Make(t, "image", "images", "", map[string]any{"name": s.call.Name(), "disk_format": "raw", "container_format": "bare"})
	now = now.Add(2 * time.Minute)
	s.undo(t)
}

// TestUndoThatFindsTheCloudStillWritingIsTriedAgain has the cloud write to the volume for longer than one run waits.
func TestUndoThatFindsTheCloudStillWritingIsTriedAgain(t *testing.T) {
	s := overwritten(t)
	way := &protectiontest.Pretending{Base: s.small}
	s.call.Cloud = s.tenant.Session(t, &http.Client{Transport: way})
	way.Stay("/volumes/[^/]+$", func(m map[string]any) { m["status"] = "downloading" })
	err := protection.Undo(t.Context(), s.hooks.Undo, s.call)
	if !karbor.IsTransient(err) {
		t.Errorf("nobody comes again for what the volume held: %v", err)
	}
	way.Stop()
	if err := protection.Undo(t.Context(), s.hooks.Undo, s.call); err != nil || s.tenant.Sum(t, s.volume) != s.before {
		t.Errorf("the next run has not brought it back: %v", err)
	}
}
