package waiting

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// What the tenant of a project plan has: 500 resources in all, with the project itself and the public
// network, which is found as one of its own.
const (
	mixedServers  = 60 // each with a network and a volume
	mixedVolumes  = 90
	mixedImages   = 288
	mixedNetworks = 60
)

// dweller is a tenant who makes things in the cloud.
type dweller struct {
	t       testing.TB
	cloud   *testcloudtest.Cloud
	token   string
	project string
}

func (d dweller) send(method, path string, body any, header ...string) map[string]any {
	d.t.Helper()
	a := d.cloud.Do(d.t, d.token, method, path, body, header...)
	if a.Status/100 != 2 {
		d.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	var out map[string]any
	if len(a.Body) > 0 {
		if err := json.Unmarshal(a.Body, &out); err != nil {
			d.t.Fatalf("%s %s: %v: %s", method, path, err, a.Body)
		}
	}
	return out
}

func (d dweller) make(path, envelope string, body map[string]any) string {
	d.t.Helper()
	var sent any = map[string]any{envelope: body}
	if envelope == "" {
		sent = body
	}
	out := d.send(http.MethodPost, path, sent)
	if envelope != "" {
		out = out[envelope].(map[string]any)
	}
	return out["id"].(string)
}

func (d dweller) volumes() string { return "/volume/v3/" + d.project }

// settle makes what the tenant has.
func (d dweller) settle() {
	d.t.Helper()
	for what, limit := range map[string]int{
		"volumes": 2000, "gigabytes": 5000, "snapshots": 1000, "instances": 200, "cores": 500, "network": 200, "subnet": 200, "port": 1000, "ram": 1 << 20,
	} {
		d.cloud.Quotas().Set(d.project, what, limit)
	}
	var networks, disks []string
	for i := range mixedNetworks {
		id := d.make("/network/v2.0/networks", "network", map[string]any{"name": fmt.Sprint("net-", i)})
		d.make("/network/v2.0/subnets", "subnet", map[string]any{"network_id": id, "ip_version": 4, "cidr": fmt.Sprintf("10.%d.0.0/24", i)})
		networks = append(networks, id)
	}
	for i := range mixedImages {
		id := d.make("/image/v2/images", "", map[string]any{"name": fmt.Sprint("image-", i), "disk_format": "raw", "container_format": "bare"})
		d.send(http.MethodPut, "/image/v2/images/"+id+"/file", strings.NewReader(fmt.Sprintf("%4096d", i)), "Content-Type", "application/octet-stream")
	}
	for i := range mixedVolumes {
		disks = append(disks, d.make(d.volumes()+"/volumes", "volume", map[string]any{"name": fmt.Sprint("disk-", i), "size": 1}))
	}
	d.await(d.volumes()+"/volumes/detail?limit=1000", "volumes", "available", mixedVolumes)
	for i := range mixedServers {
		d.send(http.MethodPost, d.volumes()+"/volumes/"+disks[i]+"/action", map[string]any{"os-set_bootable": map[string]any{"bootable": true}})
		d.make("/compute/v2.1/servers", "server", map[string]any{
			"name": fmt.Sprint("server-", i), "flavorRef": "1", "networks": []any{map[string]any{"uuid": networks[i%len(networks)]}},
			"block_device_mapping_v2": []any{map[string]any{"boot_index": 0, "uuid": disks[i], "source_type": "volume", "destination_type": "volume"}},
		})
	}
	d.await("/compute/v2.1/servers/detail", "servers", "ACTIVE", mixedServers)
}

// await waits until there are so many of a status.
func (d dweller) await(path, envelope, status string, number int) {
	d.t.Helper()
	testcloudtest.Await(d.t, "the "+envelope, func() bool {
		there := 0
		list, _ := d.send(http.MethodGet, path, nil)[envelope].([]any)
		for _, one := range list {
			if one.(map[string]any)["status"] == status {
				there++
			}
		}
		return there == number
	})
}

// has gives all that the tenant has in the cloud, by the service's word and the id.
func (d dweller) has() map[string]bool {
	d.t.Helper()
	out := map[string]bool{}
	for word, path := range map[string]string{
		"volumes": d.volumes() + "/volumes?limit=1000", "snapshots": d.volumes() + "/snapshots?limit=1000", "images": "/image/v2/images?limit=1000&owner=" + d.project,
		"servers": "/compute/v2.1/servers?limit=1000", "networks": "/network/v2.0/networks", "subnets": "/network/v2.0/subnets", "ports": "/network/v2.0/ports",
	} {
		list, _ := d.send(http.MethodGet, path, nil)[word].([]any)
		for _, one := range list {
			out[word+" "+one.(map[string]any)["id"].(string)] = true
		}
	}
	return out
}

func TestAProjectOfManyMixedResourcesIsProtectedWhole(t *testing.T) {
	s := newSiteOf(t, func(o *testcloud.Options) { o.VolumeGiB = 64 << 10 }, "{plugin: karbor-project-protection-plugin}, {plugin: karbor-server-protection-plugin}, "+
		"{plugin: karbor-image-protection-plugin}, {plugin: karbor-network-protection-plugin}, "+
		"{plugin: karbor-volume-glance-plugin}")
	d := newDweller(t, s)
	d.settle()
	before := d.has()
	plan, err := s.karbor.Plans.Create(t.Context(), client.PlanRequest{Name: "all of it", ProviderID: providerID, Parameters: karbor.Parameters{},
		Resources: []karbor.Resource{{Type: karbor.ProjectType, ID: d.project, Name: "demo"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.cloud.Requests().Reset()
	made := s.protect(t, plan, func() {})
	asked := 0
	for n := range maps.Values(s.cloud.Requests().Counts()) {
		asked += n
	}
	kinds := map[karbor.ResourceType]int{}
	for _, p := range made.Progress {
		kinds[p.Type]++
		if p.State != karbor.ResourceAvailable {
			t.Errorf("%s %s is %s: %s", p.Type, p.ID, p.State, p.Reason)
		}
	}
	t.Logf("%d resources, %v, with %d requests", len(made.Progress), kinds, asked)
	if len(made.Progress) < 500 {
		t.Errorf("there are %d resources in the checkpoint", len(made.Progress))
	}
	for kind, want := range map[karbor.ResourceType]int{
		karbor.ProjectType: 1, karbor.ServerType: mixedServers, karbor.VolumeType: mixedVolumes, karbor.ImageType: mixedImages, karbor.NetworkType: mixedNetworks,
	} {
		if kinds[kind] < want {
			t.Errorf("of %s there are %d, want %d", kind, kinds[kind], want)
		}
	}
	after := d.has()
	for _, what := range slices.Sorted(maps.Keys(after)) {
		if !before[what] {
			t.Errorf("%s is left in the cloud", what)
		}
	}
	for what := range before {
		if !after[what] {
			t.Errorf("%s has gone from the cloud", what)
		}
	}
	usage, err := s.karbor.TemporaryResources.Usage(t.Context())
	if err != nil || !none(usage) {
		t.Errorf("of what is temporary there is %+v, %v", usage, err)
	}
	if most := mostRequests * len(made.Progress); asked > most {
		t.Errorf("the cloud was asked %d times, more than %d", asked, most)
	}
}

// mostRequests is how often the cloud is asked for each resource of a mixed plan, at most, in the mean.
const mostRequests = 15
