package janitor_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/protection"
)

func TestWhatALostRestoreHasNotFinishedIsFoundInTheCloud(t *testing.T) {
	n := newTenant(t)
	call := protection.Call{Owner: owner, Installation: ours, Node: &karbor.Node{Resource: karbor.Resource{ID: source}}}
	volumes := "/volume/v3/" + n.project + "/volumes"
	volume := n.make(t, volumes, "volume", map[string]any{"name": "shop data", "size": 1, "metadata": call.RestoringTags()})
	n.await(t, volumes, volume)
	whole := n.make(t, volumes, "volume", map[string]any{"name": "shop data", "size": 1, "metadata": call.Tags()})
	n.await(t, volumes, whole)
	image := map[string]any{"name": "shop image", "disk_format": "raw", "container_format": "bare"}
	finished := n.make(t, "/image/v2/images", "", maps.Clone(image))
	for k, v := range call.RestoringTags() {
		image[k] = v
	}
	half := n.make(t, "/image/v2/images", "", image)
	network := n.created(t, "/network/v2.0/networks", "network", map[string]any{"name": "net"})
	n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "cidr": "10.9.0.0/24", "ip_version": 4})
	boot := func(tags ...string) string {
		return n.created(t, "/compute/v2.1/servers", "server", map[string]any{
			"name": "shop", "flavorRef": n.first(t, "/compute/v2.1/flavors", "flavors"), "imageRef": n.first(t, "/image/v2/images?visibility=public", "images"),
			"networks": []map[string]any{{"uuid": network}}, "tags": tags,
		}, "OpenStack-API-Version", "compute 2.52", "X-OpenStack-Nova-API-Version", "2.52")
	}
	server := boot(protection.OwnerMark(owner), "karbor-id-"+source, protection.RestoringMark(ours))
	other := boot(protection.OwnerMark(owner), "karbor-id-"+source)

	found := map[string]bool{}
	n.until(t, func() bool {
		clear(found)
		findings, err := administrator(t, n).Round(t.Context(), janitor.Query{Remove: true})
		if err != nil {
			t.Fatal(err)
		}
		settled := true
		for _, f := range findings {
			found[f.ID] = f.Restoring() && !f.Removed
			settled = settled && f.Spared == ""
		}
		return settled
	})
	if diff := cmp.Diff(map[string]bool{volume: true, half: true, server: true}, found); diff != "" {
		t.Errorf("what is found and stays (-want +got):\n%s", diff)
	}
	if _, err := administrator(t, n).Round(t.Context(), janitor.Query{Remove: true, Unfinished: true}); err != nil {
		t.Fatal(err)
	}
	for path, stays := range map[string]bool{
		volumes + "/" + volume: false, volumes + "/" + whole: true, "/image/v2/images/" + half: false, "/image/v2/images/" + finished: true,
		"/compute/v2.1/servers/" + server: false, "/compute/v2.1/servers/" + other: true,
	} {
		if stays && !n.there(t, path) {
			t.Errorf("%s is gone", path)
		}
		if !stays {
			n.until(t, func() bool { return !n.there(t, path) })
		}
	}
}
