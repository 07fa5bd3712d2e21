package volumeglance_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// pair is a stopped server whose two volumes have been taken off, as a restore in place that
// has failed leaves them behind its Undo hooks.
type pair struct {
	tenant  *protectiontest.Tenant
	server  string
	volumes []string
	calls   []*protection.Call
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{tenant: protectiontest.NewTenant(t)}
	g := &karbor.Graph{}
	var slots []any
	for i := range 2 {
		id := fmt.Sprint(p.tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "data", "size": 1})["id"])
		p.tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
		p.volumes = append(p.volumes, id)
		slots = append(slots, map[string]any{"volume": id, "device": "/dev/vd" + string(rune('b'+i))})
		g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "data"}, "")
	}
	p.server = server(t, p.tenant, p.volumes[0])
	p.tenant.Do(t, "compute", http.MethodDelete, "servers/"+p.server+"/os-volume_attachments/"+p.volumes[0], nil)
	p.tenant.Await(t, "volume", "volumes/"+p.volumes[0], "volume", "available")
	p.tenant.Do(t, "compute", http.MethodPost, "servers/"+p.server+"/action", map[string]any{"os-stop": nil})
	p.tenant.Await(t, "compute", "servers/"+p.server, "server", "SHUTOFF")
	owner := karbor.NewID()
	for i, id := range p.volumes {
		single := protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: g.Nodes()[i].Key()})
		call := single.Begin(p.tenant.Cloud, nil, nil)
		call.Owner = owner
		own := slots[i].(map[string]any)
		place := map[string]any{"size": 1, "attachment": map[string]any{"server": p.server, "device": own["device"], "running": true,
			"others": slices.DeleteFunc(slices.Clone(p.volumes), func(other string) bool { return other == id }), "slots": slots}}
		if err := call.Scratch.Save(t.Context(), map[string]any{"place": place}); err != nil {
			t.Fatal(err)
		}
		p.calls = append(p.calls, call)
	}
	return p
}

// devices gives where the volumes are.
func (p *pair) devices(t *testing.T) map[string]any {
	t.Helper()
	list, _ := p.tenant.Do(t, "compute", http.MethodGet, "servers/"+p.server+"/os-volume_attachments", nil)["volumeAttachments"].([]any)
	at := map[string]any{}
	for _, x := range list {
		one := x.(map[string]any)
		at[fmt.Sprint(one["volumeId"])] = one["device"]
	}
	return at
}

func TestServerGetsItsVolumesBackInTheOrderOfTheirDevices(t *testing.T) {
	p := newPair(t)
	resume := open(t).Hooks(protection.InPlace, karbor.VolumeType).Resume
	for _, call := range slices.Backward(p.calls) { // the second one comes first
		if err := resume(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]any{p.volumes[0]: "/dev/vdb", p.volumes[1]: "/dev/vdc"}, p.devices(t)); diff != "" {
		t.Errorf("the volumes (-want +got):\n%s", diff)
	}
	if shown := p.tenant.Show(t, "compute", "servers/"+p.server, "server"); shown["status"] != "ACTIVE" {
		t.Errorf("the server is %v", shown["status"])
	}
}

// TestServerGetsNoVolumeBehindOneThatHasNotGotItsBytes has the snapshot of the first volume there
// still: it holds what the volume has not.
func TestServerGetsNoVolumeBehindOneThatHasNotGotItsBytes(t *testing.T) {
	p := newPair(t)
	resume := open(t).Hooks(protection.InPlace, karbor.VolumeType).Resume
	snapshot := fmt.Sprint(p.tenant.Make(t, "volume", "snapshots", "snapshot", map[string]any{
		"volume_id": p.volumes[0], "name": p.calls[0].Name(), "metadata": p.calls[0].Tags()})["id"])
	p.tenant.Await(t, "volume", "snapshots/"+snapshot, "snapshot", "available")
	err := resume(t.Context(), p.calls[1])
	if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) != karbor.Conflict {
		t.Fatalf("the second volume's hook gives %v", err)
	}
	for _, words := range []string{"lacks volume " + p.volumes[0], "and then " + p.volumes[1], "in this order"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("it does not say %q: %v", words, err)
		}
	}
	if at := p.devices(t); len(at) > 0 {
		t.Errorf("attached are %v", at)
	}
	if shown := p.tenant.Show(t, "compute", "servers/"+p.server, "server"); shown["status"] != "SHUTOFF" {
		t.Errorf("the server is %v", shown["status"])
	}
}

// TestTwoProcessesGiveAServerItsVolumesBackInTheirOrder has both hooks run at once, each in a process of its own.
func TestTwoProcessesGiveAServerItsVolumesBackInTheirOrder(t *testing.T) {
	p, turns := newPair(t), &protection.Turnstile{}
	var running sync.WaitGroup
	for _, call := range slices.Backward(p.calls) {
		call.Turns = turns
		resume := open(t).Hooks(protection.InPlace, karbor.VolumeType).Resume
		running.Go(func() {
			if err := resume(t.Context(), call); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if diff := cmp.Diff(map[string]any{p.volumes[0]: "/dev/vdb", p.volumes[1]: "/dev/vdc"}, p.devices(t)); diff != "" {
		t.Errorf("the volumes (-want +got):\n%s", diff)
	}
}
