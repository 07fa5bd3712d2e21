package crossing

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

//karbor:tries in-place,undo-in-place,verify of volumeglance
func TestAVolumeIsRestoredInPlaceUnderItsServerAndThatIsUndone(t *testing.T) {
	underItsServer(t, testcloudtest.Start(t, small), miniature)
}

// underItsServer restores a volume in place that is attached to a server which runs and has another volume behind it,
// and undoes that. A volume of a GiB has so many bytes. No hypervisor runs a guest here: what is seen is all that
// Nova and Cinder know of the server and its volumes, and the bytes that Cinder has; not what a guest reads.
func underItsServer(t *testing.T, cloud place, gib int) {
	k := serve(t, cloud, nil)
	a := login(t, cloud, "demo")
	a.tidied()
	server := a.shop(true).server
	volume := fmt.Sprint(a.one(openstack.BlockStorage, "volumes", "volumes", "sold")["id"])
	spare := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": "spare", "size": 1})
	a.await(openstack.BlockStorage, "volumes/"+spare, "volume", "available")
	a.attach(server, spare)
	checkpoint := k.protect(a, karbor.VolumeType, volume)
	k.verified(a, checkpoint)

	const later = "what was sold later "
	a.rewrite(server, volume, later)
	things, wired, asked := a.everything(), a.wired(server), a.asked(server)
	look := func(after, text string) {
		t.Helper()
		if got := a.sum(volume); got != sumOf(text, gib) {
			t.Errorf("%s, the volume has other bytes", after)
		}
		if now := a.wired(server); !slices.Equal(now, wired) {
			t.Errorf("%s, there is %q; want %q", after, now, wired)
		}
		if now := a.everything(); !slices.Equal(now, things) {
			t.Errorf("%s, the project has %q; want %q", after, now, things)
		}
		asked = append(asked, "stop", "detach_volume", "attach_volume", "start")
		if now := a.asked(server); !slices.Equal(now, asked) {
			t.Errorf("%s, the server was asked for %q; want %q", after, now, asked)
		}
	}
	done := k.succeeds(a, checkpoint, map[string]any{"in_place": true})
	look("restored in place", bytesOfVolume)
	safety, _ := done.member(t, "restore", "safety_checkpoint_id").(string)
	k.succeeds(a, safety, map[string]any{"in_place": true})
	look("with the restore undone", later)
}

// attach gives a volume to a server.
func (a *account) attach(server, volume string) {
	a.t.Helper()
	a.do(openstack.Compute, "POST", "servers/"+server+"/os-volume_attachments", map[string]any{"volumeAttachment": map[string]any{"volumeId": volume}})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "in-use")
}

// rewrite puts a text, a thousand times, in place of what a volume of a server holds, as a tenant may: off the server.
func (a *account) rewrite(server, volume, text string) {
	a.t.Helper()
	a.do(openstack.Compute, "DELETE", "servers/"+server+"/os-volume_attachments/"+volume, nil)
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	image := a.upload("written later", text)
	a.do(reimaging, "POST", "volumes/"+volume+"/action", map[string]any{"os-reimage": map[string]any{"image_id": image}})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	a.do(openstack.Image, "DELETE", "images/"+image, nil)
	a.attach(server, volume)
}

// reimaging is the volume service at the version from which it overwrites volumes.
func reimaging(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return openstack.BlockStorageFrom(ctx, c, "3.68")
}

// wired gives the state of a server, and of each of its volumes the device and what Cinder says of it.
func (a *account) wired(server string) []string {
	a.t.Helper()
	shown, _ := a.do(openstack.Compute, "GET", "servers/"+server, nil)["server"].(map[string]any)
	lines := []string{fmt.Sprint("the server is ", shown["status"])}
	list, _ := a.do(openstack.Compute, "GET", "servers/"+server+"/os-volume_attachments", nil)["volumeAttachments"].([]any)
	for _, item := range list {
		one, _ := item.(map[string]any)
		volume, _ := a.do(openstack.BlockStorage, "GET", fmt.Sprint("volumes/", one["volumeId"]), nil)["volume"].(map[string]any)
		parts := []string{fmt.Sprintf("%v: volume %v is %v (deleted with the server: %v)", one["device"], volume["name"], volume["status"], one["delete_on_termination"])}
		hung, _ := volume["attachments"].([]any)
		for _, h := range hung {
			at, _ := h.(map[string]any)
			parts = append(parts, fmt.Sprintf("%v of %v", at["device"], at["server_id"]))
		}
		lines = append(lines, strings.Join(parts, ", "))
	}
	slices.Sort(lines)
	return lines
}

// asked gives what a server was asked for, from the first on.
func (a *account) asked(server string) []string {
	a.t.Helper()
	var actions []string
	list, _ := a.do(openstack.Compute, "GET", "servers/"+server+"/os-instance-actions", nil)["instanceActions"].([]any)
	for _, item := range list {
		one, _ := item.(map[string]any)
		actions = append(actions, fmt.Sprint(one["action"]))
	}
	slices.Reverse(actions)
	return actions
}

// verified has each byte of a checkpoint of volumes read, and compared with its digest.
func (k *karbord) verified(a *account, checkpoint string) {
	k.t.Helper()
	made := k.call(a, http.MethodPost, "/verifications", map[string]any{"verification": map[string]any{
		"provider_id": providerID, "checkpoint_id": checkpoint, "parameters": map[string]any{string(karbor.VolumeType): map[string]any{"depth": "full"}}}})
	last := k.ends(a, "/verifications/"+made.id(k.t, "verification"), "verification", "success", "error")
	if last.member(k.t, "verification", "status") != "success" {
		k.t.Error("the verification fails: ", last.text)
	}
}
