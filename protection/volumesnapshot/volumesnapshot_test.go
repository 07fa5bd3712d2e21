package volumesnapshot_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := volumesnapshot.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

// disk makes a volume as a source for this plug-in.
func disk(t *testing.T, tenant *protectiontest.Tenant) *protectiontest.Disk {
	t.Helper()
	d := tenant.Disk(t)
	d.Source.Options = map[string]any{"snapshot_name": "nightly", "description": "made each night"}
	d.Source.Lose = func(t *testing.T) { d.RemoveMade(t, "snapshots") }
	d.Source.Check = func(t *testing.T, restored protectiontest.Restored) {
		d.Check(t, restored)
		now := tenant.Show(t, "volume", "volumes/"+restored.ID, "volume")
		if s, _ := now["snapshot_id"].(string); s == "" {
			t.Error("the volume is not made of a snapshot")
		}
	}
	return d
}

func TestVolumeComesBackWithItsBytes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, true)
	sum := tenant.Sum(t, from.ID)
	if err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Main, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if got := tenant.Sum(t, s.Result().ID); got != sum {
		t.Error("the restored volume has other bytes")
	}
}

func TestVolumeComesBackOfItsSnapshot(t *testing.T) {
	protectiontest.Run(t, caseOf(t, protectiontest.NewTenant(t), quick))
}

func caseOf(t *testing.T, tenant *protectiontest.Tenant, options string) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, options), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Installation: "here", Keeps: 1,
		Make: func(t *testing.T) protectiontest.Source { return disk(t, tenant).Source },
	}
}

// single begins with a volume that has a checkpoint of this plug-in or none.
func single(t *testing.T, tenant *protectiontest.Tenant, p protection.Plugin, protect bool) (*protectiontest.Single, *protectiontest.Disk) {
	t.Helper()
	from := disk(t, tenant)
	s := protectiontest.NewSingle(p, from.Source)
	if protect {
		call := s.Begin(tenant.Cloud, nil, nil)
		hooks := p.Hooks(karbor.Protect, karbor.VolumeType)
		for _, hook := range []protection.Hook{hooks.PrepareFinish, hooks.Main} {
			if err := s.Run(t, hook, call); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, from
}

func TestSnapshotThatFailsInTheCloudEndsTheProtectAndGoes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, _ := single(t, tenant, p, false)
	before := tenant.Inventory(t)
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "snapshot.create", Fail: true})
	call := s.Begin(tenant.Cloud, nil, nil)
	hooks := p.Hooks(karbor.Protect, karbor.VolumeType)
	err := s.Run(t, hooks.PrepareFinish, call)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `went into state "error"`) {
		t.Errorf("a snapshot in error gives %v", err)
	}
	if err := s.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

func TestSnapshotThatIsNeverReadyEndsTheWait(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	s, _ := single(t, tenant, p, false)
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "snapshot.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/snapshots/", func(map[string]any) {})
	err := s.Run(t, p.Hooks(karbor.Protect, karbor.VolumeType).PrepareFinish, s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil))
	protectiontest.ExpectOvertime(t, err, "7m0s", "snapshot", `"creating"`)
}

func TestRemovalThatHangsEndsWithItsTimeAndIsTold(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	s, _ := single(t, tenant, p, false)
	call, hooks := s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil), p.Hooks(karbor.Protect, karbor.VolumeType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "snapshot.delete", Delay: fabric.Duration(time.Hour)})
	way.Stay("/snapshots/", func(map[string]any) {})
	protectiontest.ExpectOvertime(t, hooks.Undo(t.Context(), call), "7m0s", "snapshot", `"deleting"`)
}

func TestVolumeThatFailsInTheCloudEndsTheRestoreAndGoes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, _ := single(t, tenant, p, true)
	before := tenant.Inventory(t)
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "volume.create", Fail: true})
	call := s.Begin(tenant.Cloud, nil, nil)
	hooks := p.Hooks(karbor.RestoreOperation, karbor.VolumeType)
	err := s.Run(t, hooks.Main, call)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `went into state "error"`) {
		t.Errorf("a volume in error gives %v", err)
	}
	if err := s.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

func TestSnapshotThatCanNotBeDeletedIsToldWithWhatToDo(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, _ := single(t, tenant, p, true)
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "snapshot.delete", Fail: true})
	err := s.Run(t, p.Hooks(karbor.Delete, karbor.VolumeType).Main, s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "can't be deleted") {
		t.Errorf("a snapshot that stays gives %v", err)
	}
}

func TestAttachedVolumeIsRefusedWhereForceSaysSo(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, false)
	from.Attach(t)
	hook := p.Hooks(karbor.Protect, karbor.VolumeType).PrepareFinish
	for force, refused := range map[any]bool{false: true, true: false, nil: false} {
		parameters := map[string]any{}
		if force != nil {
			parameters["force"] = force
		}
		err := s.Run(t, hook, s.Begin(tenant.Cloud, nil, parameters))
		if (err != nil) != refused || err != nil && karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("force %v gives %v", force, err)
		}
	}
}

func TestSnapshotOfAnotherProjectIsNotRestored(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, true)
	from.Source.Lose(t)
	err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Main, s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "is not in this project of this cloud") {
		t.Errorf("a lost snapshot gives %v", err)
	}
}

func TestKeptSnapshotIsNotTaggedAsTemporary(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, false)
	call := s.Begin(tenant.Cloud, nil, nil)
	call.Installation = "here"
	if err := s.Run(t, p.Hooks(karbor.Protect, karbor.VolumeType).PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	found, _ := tenant.Do(t, "volume", "GET", "snapshots/detail?volume_id="+from.ID, nil)["snapshots"].([]any)
	if len(found) != 1 {
		t.Fatalf("there are %d snapshots", len(found))
	}
	tags, _ := found[0].(map[string]any)["metadata"].(map[string]any)
	if tags[protection.CheckpointTag] == nil || tags[protection.TemporaryTag] != nil {
		t.Errorf("it is tagged %v", tags)
	}
}
