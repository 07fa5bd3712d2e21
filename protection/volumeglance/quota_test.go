package volumeglance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestTemporarySnapshotWaitsForRoomThatComes has a quota that is used up, and then no more:
// it waits only where something of this Karbor's is there that goes by itself.
func TestTemporarySnapshotWaitsForRoomThatComes(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	volume := tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "data", "size": 1})
	id, _ := volume["id"].(string)
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "data"}, "")
	full := fabric.Fault{Service: "cinder", Method: http.MethodPost, Path: "/snapshots$", Status: http.StatusRequestEntityTooLarge,
		Message: "SnapshotLimitExceeded: Maximum number of snapshots allowed (1) exceeded", Times: 2} // it is looked twice
	var single *protectiontest.Single
	take := func() (told []string, err error) {
		single = protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: node.Key()})
		call := single.Begin(tenant.Cloud, nil, nil)
		call.Installation = "here"
		call.Waiting = func(sentence string) { told = append(told, sentence) }
		hooks := open(t).Hooks(karbor.Protect, karbor.VolumeType)
		err = single.Run(t, hooks.PrepareFinish, call)
		if undone := single.Run(t, hooks.Undo, call); undone != nil {
			t.Fatal(undone)
		}
		return told, err
	}
	other := tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "other", "size": 1})
	otherID, _ := other["id"].(string)
	tenant.Await(t, "volume", "volumes/"+otherID, "volume", "available")
	made := func(metadata map[string]any) {
		t.Helper()
		metadata["karbor_checkpoint_id"], metadata["karbor_resource_id"] = "checkpoint", otherID
		tenant.Make(t, "volume", "snapshots", "snapshot", map[string]any{"volume_id": otherID, "name": "karbor-checkpoint-" + otherID, "metadata": metadata})
	}
	for what, stays := range map[string]map[string]any{
		"that a checkpoint keeps": {},
		"of another Karbor":       {"karbor_temporary": "elsewhere"},
	} {
		made(stays)
		tenant.Fault(t, full)
		if told, err := take(); karbor.KindOf(err) != karbor.OverLimit || karbor.IsTransient(err) || len(told) > 0 {
			t.Fatalf("with a snapshot %s: %v, and told was %q", what, err, told)
		}
	}
	made(map[string]any{"karbor_temporary": "here"})
	tenant.Fault(t, full)
	told, err := take()
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || !strings.Contains(told[0], "quota") || !slices.Equal(told[1:], []string{""}) {
		t.Errorf("told was %q", told)
	}
	if notKept := single.Result().NotKept; len(notKept) != 1 || !strings.Contains(notKept[0], "snapshotted later") {
		t.Errorf("of the later moment is told %q", notKept)
	}
}

// TestVolumeThatIsExtendedBeforeItsSnapshotIsTakenHasTheSnapshotsSize has a run before have described the volume.
func TestVolumeThatIsExtendedBeforeItsSnapshotIsTakenHasTheSnapshotsSize(t *testing.T) {
	protectiontest.Extended(t, open(t), protectiontest.NewTenant(t))
}
