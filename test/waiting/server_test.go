package waiting

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

const (
	// disks is how many volumes the server has.
	disks = 4
	// serverRounds is how often it is protected.
	serverRounds = 9
)

// newDweller gives the tenant of a site.
func newDweller(t testing.TB, s *site) dweller {
	user, _ := s.cloud.User("demo")
	return dweller{t, s.cloud, s.cloud.Client(t, "demo").Token(), user.ProjectID}
}

// server makes a server that is booted from a volume and has three more, and a plan of it.
func (s *site) server(d dweller) client.Plan {
	d.t.Helper()
	network := d.make("/network/v2.0/networks", "network", map[string]any{"name": "n"})
	d.make("/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"})
	var volumes []string
	for i := range disks {
		volumes = append(volumes, d.make(d.volumes()+"/volumes", "volume", map[string]any{"name": fmt.Sprint("disk-", i), "size": 1}))
	}
	d.await(d.volumes()+"/volumes/detail", "volumes", "available", disks)
	d.send(http.MethodPost, d.volumes()+"/volumes/"+volumes[0]+"/action", map[string]any{"os-set_bootable": map[string]any{"bootable": true}})
	id := d.make("/compute/v2.1/servers", "server", map[string]any{
		"name": "db", "flavorRef": "1", "networks": []any{map[string]any{"uuid": network}},
		"block_device_mapping_v2": []any{map[string]any{"boot_index": 0, "uuid": volumes[0], "source_type": "volume", "destination_type": "volume"}},
	})
	d.await("/compute/v2.1/servers/detail", "servers", "ACTIVE", 1)
	for _, volume := range volumes[1:] {
		d.send(http.MethodPost, "/compute/v2.1/servers/"+id+"/os-volume_attachments", map[string]any{"volumeAttachment": map[string]any{"volumeId": volume}})
	}
	d.await(d.volumes()+"/volumes/detail", "volumes", "in-use", disks)
	plan, err := s.karbor.Plans.Create(d.t.Context(), client.PlanRequest{Name: "db", ProviderID: providerID, Parameters: karbor.Parameters{},
		Resources: []karbor.Resource{{Type: karbor.ServerType, ID: id, Name: "db"}}})
	if err != nil {
		d.t.Fatal(err)
	}
	return plan
}

// snapshots adds when each snapshot that there is was made, by Cinder's word.
func (d dweller) snapshots(into map[string]time.Time) {
	d.t.Helper()
	list, _ := d.send(http.MethodGet, d.volumes()+"/snapshots/detail?limit=1000", nil)["snapshots"].([]any)
	for _, one := range list {
		shown, _ := one.(map[string]any)
		id, _ := shown["id"].(string)
		text, _ := shown["created_at"].(string)
		at, err := time.Parse("2006-01-02T15:04:05.999999", text)
		if err != nil {
			d.t.Fatal(err)
		}
		into[id] = at
	}
}

// answer gives how long the cloud takes to answer a request for a snapshot, the median of some.
func (d dweller) answer(volume string) time.Duration {
	d.t.Helper()
	var took []time.Duration
	for range serverRounds {
		begin := time.Now()
		id := d.make(d.volumes()+"/snapshots", "snapshot", map[string]any{"volume_id": volume, "force": true, "name": "mine"})
		took = append(took, time.Since(begin))
		d.await(d.volumes()+"/snapshots/detail?name=mine", "snapshots", "available", 1)
		d.send(http.MethodDelete, d.volumes()+"/snapshots/"+id, nil)
		d.await(d.volumes()+"/snapshots/detail?name=mine", "snapshots", "available", 0)
	}
	return median(took)
}

func median(some []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(some))[len(some)/2]
}

// BenchmarkOneServersVolumes protects a server of four volumes, and tells the time between the first and the last of their
// snapshots, beside what the cloud takes to answer a single request for one: at once, and as slowly as a real one.
func BenchmarkOneServersVolumes(b *testing.B) {
	for _, plugin := range []string{volumesnapshot.Name, volumeglance.Name} {
		for _, slow := range []time.Duration{0, 500 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/answers-after-%v", strings.TrimSuffix(strings.TrimPrefix(plugin, "karbor-"), "-plugin"), slow), func(b *testing.B) {
				s := newSiteOf(b, func(o *testcloud.Options) { o.Timing.Change, o.VolumeGiB = 200*time.Millisecond, smallGiB },
					"{plugin: karbor-server-protection-plugin}, {plugin: karbor-network-protection-plugin}, {plugin: "+plugin+"}")
				d := newDweller(b, s)
				plan := s.server(d)
				if slow > 0 {
					if _, err := s.cloud.Faults().Add(fabric.Fault{Service: "cinder", Method: http.MethodPost, Path: "/snapshots$", Delay: fabric.Duration(slow)}); err != nil {
						b.Fatal(err)
					}
				}
				s.spans(b, d, plan)
			})
		}
	}
}

// spans protects a plan again and again.
func (s *site) spans(b *testing.B, d dweller, plan client.Plan) {
	b.Helper()
	list, _ := d.send(http.MethodGet, d.volumes()+"/volumes", nil)["volumes"].([]any)
	volume, _ := list[0].(map[string]any)["id"].(string)
	answer := d.answer(volume)
	earlier := map[string]time.Time{}
	var spans []time.Duration
	for range serverRounds {
		d.snapshots(earlier)
		seen := map[string]time.Time{}
		s.protect(b, plan, func() { d.snapshots(seen) })
		d.snapshots(seen)
		var made []time.Time
		for id, at := range seen {
			if _, old := earlier[id]; !old {
				made = append(made, at)
			}
		}
		if len(made) != disks {
			b.Fatalf("%d snapshots were made of %d volumes", len(made), disks)
		}
		slices.SortFunc(made, time.Time.Compare)
		spans = append(spans, made[disks-1].Sub(made[0]))
	}
	b.ReportMetric(median(spans).Seconds()*1e3, "ms-first-to-last-snapshot")
	b.ReportMetric(slices.Min(spans).Seconds()*1e3, "ms-the-shortest")
	b.ReportMetric(slices.Max(spans).Seconds()*1e3, "ms-the-longest")
	b.ReportMetric(answer.Seconds()*1e3, "ms-the-cloud's-answer")
}
