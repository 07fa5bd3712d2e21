package volumeglance_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// inPlace makes a volume that can be spoilt, and gives how that is checked.
func inPlace(t *testing.T, tenant *protectiontest.Tenant) (protectiontest.Source, func(t *testing.T, source protectiontest.Source)) {
	t.Helper()
	s := source(t, tenant)
	id := s.Graph.Node(s.Key).ID
	spoil := func(t *testing.T) { tenant.Overwrite(t, id, "what nobody wants ") }
	check := s.Check
	s.Destroy = spoil
	s.Check = func(t *testing.T, restored protectiontest.Restored) {
		if restored.ID != id {
			t.Errorf("the new id is %q, not the original's", restored.ID)
		}
		check(t, restored)
	}
	var sum string
	var was map[string]any
	return s, func(t *testing.T, s protectiontest.Source) {
		id := s.Graph.Node(s.Key).ID
		if sum == "" { // the first look
			before := makeVolume(t, tenant)
			tenant.Overwrite(t, before, "what nobody wants ")
			sum = tenant.Sum(t, before)
			was = pick(tenant.Show(t, "volume", "volumes/"+before, "volume"))
			tenant.Remove(t, "volume", "volumes/"+before, "volume")
		}
		if got := tenant.Sum(t, id); got != sum {
			t.Error("the volume has not the bytes that it had before")
		}
		now := pick(tenant.Show(t, "volume", "volumes/"+id, "volume"))
		for _, own := range []map[string]any{now, was} {
			delete(own, "volume_image_metadata") // it names the image, which is another each time
		}
		if diff := cmp.Diff(was, now); diff != "" {
			t.Errorf("the volume is not as it was (-before +now):\n%s", diff)
		}
	}
}

func TestVolumeIsOverwrittenAndUndone(t *testing.T) {
	small, tenant := newMiniature(), protectiontest.NewTenant(t)
	maker := tenant.Through(t, &http.Client{Transport: small})
	var spoilt func(t *testing.T, source protectiontest.Source)
	c := protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: small, Inventory: maker.Inventory,
		// Looks are many here, and change nothing: kills between them find what the next does.
		ChangesOnly: true,
		Make: func(t *testing.T) (s protectiontest.Source) {
			s, spoilt = inPlace(t, maker)
			return s
		},
	}
	protectiontest.InPlace(t, c, func(t *testing.T, s protectiontest.Source) { spoilt(t, s) })
}

// server makes one that runs, and attaches the volume.
func server(t *testing.T, tenant *protectiontest.Tenant, volume string) string {
	t.Helper()
	list := func(service, path, member string) map[string]any {
		all, _ := tenant.Do(t, service, http.MethodGet, path, nil)[member].([]any)
		one, _ := all[0].(map[string]any)
		return one
	}
	flavor, image := list("compute", "flavors", "flavors")["id"], list("image", "images", "images")["id"]
	network := tenant.Make(t, "network", "networks", "network", map[string]any{"name": "n"})["id"]
	tenant.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"})
	made := tenant.Make(t, "compute", "servers", "server", map[string]any{
		"name": "db", "flavorRef": flavor, "imageRef": image, "networks": []any{map[string]any{"uuid": network}}})
	id := fmt.Sprint(made["id"])
	tenant.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	tenant.Do(t, "compute", http.MethodPost, "servers/"+id+"/os-volume_attachments",
		map[string]any{"volumeAttachment": map[string]any{"volumeId": volume, "device": "/dev/vdb"}})
	tenant.Await(t, "volume", "volumes/"+volume, "volume", "in-use")
	return id
}

// TestAttachedVolumeIsOverwrittenUnderItsServer is with the test cloud's own volumes, as the server is.
func TestAttachedVolumeIsOverwrittenUnderItsServer(t *testing.T) {
	tenant := protectiontest.NewTenant(t, protectiontest.SmallVolumes)
	volume := makeVolume(t, tenant)
	sum := tenant.Sum(t, volume)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "disk"}, "")
	single := protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: node.Key()})
	run := func(op karbor.OperationType) error {
		hooks, call := open(t).Hooks(op, karbor.VolumeType), single.Begin(tenant.Cloud, nil, nil)
		for _, hook := range []protection.Hook{hooks.PrepareBegin, hooks.PrepareFinish, hooks.Main, hooks.Complete} {
			if err := single.Run(t, hook, call); err != nil {
				undo := func(ctx context.Context, call *protection.Call) error { return protection.Undo(ctx, hooks.Undo, call) }
				return errors.Join(err, single.Run(t, undo, call), single.Run(t, hooks.Resume, call))
			}
		}
		return nil
	}
	if err := run(karbor.Protect); err != nil {
		t.Fatal(err)
	}
	tenant.Overwrite(t, volume, "what nobody wants ")
	spoilt := tenant.Sum(t, volume)
	id := server(t, tenant, volume)
	before := tenant.Inventory(t)
	attached := func(t *testing.T) {
		t.Helper()
		s := tenant.Show(t, "compute", "servers/"+id, "server")
		v := tenant.Show(t, "volume", "volumes/"+volume, "volume")
		on, _ := v["attachments"].([]any)
		if s["status"] != "ACTIVE" || v["status"] != "in-use" || len(on) != 1 {
			t.Fatalf("the server is %v, the volume %v, attached as %v", s["status"], v["status"], on)
		}
		if a, _ := on[0].(map[string]any); a["device"] != "/dev/vdb" || a["server_id"] != id {
			t.Errorf("it is attached as %v", a)
		}
		if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
			t.Errorf("the cloud has other things (-before +now):\n%s", diff)
		}
	}
	bytesNow := func(t *testing.T) string {
		t.Helper()
		answer := tenant.Do(t, "volume", http.MethodPost, "volumes/"+volume+"/action",
			map[string]any{"os-volume_upload_image": map[string]any{"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
		upload, _ := answer["os-volume_upload_image"].(map[string]any)
		path := fmt.Sprintf("images/%v", upload["image_id"])
		tenant.Await(t, "image", path, "", "active")
		shown := tenant.Show(t, "image", path, "")
		tenant.Remove(t, "image", path, "")
		tenant.Await(t, "volume", "volumes/"+volume, "volume", "in-use")
		return fmt.Sprint(shown["os_hash_value"])
	}
	// One that fails while it overwrites leaves the volume in error, as Cinder does.
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "volume.create", Fail: true, Times: 1})
	if err := run(protection.InPlace); err == nil || !strings.Contains(err.Error(), "overwritten") {
		t.Fatalf("a failing cloud gives %v", err)
	}
	attached(t)
	if bytesNow(t) != spoilt {
		t.Error("after the failure the volume has not the bytes that it had before")
	}
	if err := run(protection.InPlace); err != nil {
		t.Fatal(err)
	}
	attached(t)
	if bytesNow(t) != sum {
		t.Error("the volume has not the checkpoint's bytes")
	}
}
