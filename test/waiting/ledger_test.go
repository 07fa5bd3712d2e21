package waiting

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/protection/volumebackup"
	"github.com/karbor/karbor/protection/volumeglance"
)

// amounts are how much there is of what, by name; what there is none of is not in it.
type amounts map[string]int64

// minus gives how much more there is than in other.
func (a amounts) minus(other amounts) amounts {
	out := amounts{}
	for name, n := range a {
		if n -= other[name]; n != 0 {
			out[name] = n
		}
	}
	return out
}

// rise has a have at least as much as other.
func (a amounts) rise(other amounts) {
	for name, n := range other {
		a[name] = max(a[name], n)
	}
}

// teller reads what the ledger tells, and what the cloud itself says is in use.
type teller struct {
	*site
	dweller
}

func newTeller(t *testing.T, s *site) teller { return teller{s, newDweller(t, s)} }

// ledger gives what operations hold now.
func (s teller) ledger() amounts {
	s.t.Helper()
	u, err := s.karbor.TemporaryResources.Usage(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	others := u
	others.Snapshots, others.Volumes, others.Images = client.TemporarySum{}, client.TemporarySum{}, client.TemporarySum{}
	if !none(others) {
		s.t.Errorf("the ledger has what only drills hold: %+v", u)
	}
	return amounts{
		"snapshots": u.Snapshots.Number, "volumes": u.Volumes.Number, "images": u.Images.Number,
		"gigabytes": u.Snapshots.Gigabytes + u.Volumes.Gigabytes, "gigabytes of images": u.Images.Gigabytes,
	}.minus(nil)
}

// inUse gives what Cinder says is in use of its quotas, and how many images the project has.
func (s teller) inUse() amounts {
	s.t.Helper()
	out := amounts{}
	set, _ := s.send(http.MethodGet, s.volumes()+"/os-quota-sets/"+s.project+"?usage=true", nil)["quota_set"].(map[string]any)
	for _, name := range []string{"snapshots", "volumes", "gigabytes", "backups", "backup_gigabytes"} {
		quota, _ := set[name].(map[string]any)
		n, told := quota["in_use"].(float64)
		if !told {
			s.t.Fatalf("Cinder does not tell what is in use of %s: %v", name, set)
		}
		out[name] = int64(n)
	}
	images, _ := s.send(http.MethodGet, "/image/v2/images?limit=1000&owner="+s.project, nil)["images"].([]any)
	out["images"] = int64(len(images))
	return out
}

// watch runs an operation, which calls during again and again, and gives the most that was seen meanwhile, and what
// was there afterwards: in the ledger, and in the cloud beside what was there before.
func (s teller) watch(operation func(during func())) (ledger, cloud, after amounts) {
	s.t.Helper()
	if held := s.ledger(); len(held) > 0 {
		s.t.Errorf("before, the ledger has %v", held)
	}
	before := s.inUse()
	ledger, cloud = amounts{}, amounts{}
	operation(func() {
		ledger.rise(s.ledger())
		cloud.rise(s.inUse().minus(before))
	})
	if held := s.ledger(); len(held) > 0 {
		s.t.Errorf("after, the ledger has %v", held)
	}
	return ledger, cloud.minus(nil), s.inUse().minus(before)
}

// restore restores a checkpoint, and calls during again and again until that is over.
func (s *site) restore(t *testing.T, r client.RestoreRequest, during func()) {
	t.Helper()
	made, err := s.karbor.Restores.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		during()
		now, err := s.karbor.Restores.Show(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		switch now.Status {
		case karbor.RestoreSuccess:
			return
		case karbor.RestoreInProgress:
		default:
			t.Fatalf("the restore is %s: %v", now.Status, now.ResourcesReason)
		}
	}
	t.Fatal("the restore does not come to an end")
}

// sight is what was seen of an operation.
type sight struct{ Ledger, Cloud, After amounts }

func (s teller) expect(what string, want sight, operation func(during func())) {
	s.t.Helper()
	var got sight
	got.Ledger, got.Cloud, got.After = s.watch(operation)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestTheLedgerBeforeDuringAndAfter moves a GiB four times. What it expects is the table in docs/tenants/quotas.md.
func TestTheLedgerBeforeDuringAndAfter(t *testing.T) {
	s := newTeller(t, newSite(t, time.Second, volumeglance.Name))
	plan := s.plan(t, 1)
	var checkpoint client.Checkpoint
	staged := amounts{"snapshots": 1, "volumes": 1, "gigabytes": 2, "images": 1}
	noted := maps.Clone(staged)
	noted["gigabytes of images"] = 1
	s.expect("protect", sight{noted, staged, amounts{}}, func(during func()) { checkpoint = s.protect(t, plan, during) })
	s.entries(checkpoint, plan.Resources[0].Key(), "image", "snapshot", "volume")

	request := client.RestoreRequest{ProviderID: providerID, CheckpointID: checkpoint.ID}
	s.expect("restore", sight{
		amounts{"images": 1, "gigabytes of images": 1}, amounts{"images": 1, "volumes": 1, "gigabytes": 1}, amounts{"volumes": 1, "gigabytes": 1},
	}, func(during func()) { s.restore(t, request, during) })
	request.Choices.InPlace = true
	s.expect("restore in place", sight{noted, staged, amounts{}}, func(during func()) { s.restore(t, request, during) })
}

func TestTheLedgerOfABackupBeforeDuringAndAfter(t *testing.T) {
	s := newTeller(t, newSite(t, time.Second, volumebackup.Name))
	plan := s.plan(t, 1)
	var checkpoint client.Checkpoint
	kept := amounts{"backups": 1, "backup_gigabytes": 1}
	s.expect("protect", sight{
		amounts{"snapshots": 1, "gigabytes": 1}, amounts{"snapshots": 1, "gigabytes": 1, "backups": 1, "backup_gigabytes": 1}, kept,
	}, func(during func()) { checkpoint = s.protect(t, plan, during) })
	s.entries(checkpoint, plan.Resources[0].Key(), "snapshot")
	s.expect("restore", sight{amounts{}, amounts{"volumes": 1, "gigabytes": 1}, amounts{"volumes": 1, "gigabytes": 1}}, func(during func()) {
		s.restore(t, client.RestoreRequest{ProviderID: providerID, CheckpointID: checkpoint.ID}, during)
	})
}

func TestTheLedgerOfAServersDiskBeforeDuringAndAfter(t *testing.T) {
	s := newTeller(t, newSiteOf(t, func(o *testcloud.Options) { o.Timing.Change = time.Second },
		"{plugin: karbor-server-protection-plugin}, {plugin: karbor-image-protection-plugin, options: {enable_server_snapshot: true}}"))
	images, _ := s.send(http.MethodGet, "/image/v2/images", nil)["images"].([]any)
	network := s.make("/network/v2.0/networks", "network", map[string]any{"name": "n"})
	s.make("/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"})
	server := s.make("/compute/v2.1/servers", "server", map[string]any{
		"name": "db", "flavorRef": "1", "imageRef": images[0].(map[string]any)["id"], "networks": []any{map[string]any{"uuid": network}}})
	s.await("/compute/v2.1/servers/detail", "servers", "ACTIVE", 1)
	resource := karbor.Resource{Type: karbor.ServerType, ID: server, Name: "db"}
	plan, err := s.karbor.Plans.Create(t.Context(), client.PlanRequest{Name: "db", ProviderID: providerID, Resources: []karbor.Resource{resource}, Parameters: karbor.Parameters{}})
	if err != nil {
		t.Fatal(err)
	}
	var checkpoint client.Checkpoint
	s.expect("protect", sight{amounts{"images": 1, "gigabytes of images": 1}, amounts{"images": 1}, amounts{}}, func(during func()) { checkpoint = s.protect(t, plan, during) })
	s.entries(checkpoint, "", "image")
}

// entries looks at what the ledger tells of a protect that is over.
func (s teller) entries(checkpoint client.Checkpoint, resource string, want ...string) {
	s.t.Helper()
	var types []string
	for r, err := range s.karbor.TemporaryResources.List(s.t.Context(), client.ListOptions{Filters: map[string]string{"checkpoint_id": checkpoint.ID}}) {
		if err != nil {
			s.t.Fatal(err)
		}
		types = append(types, r.Type)
		if r.Status != "released" || r.HeldSince == "" || r.ReleasedAt == "" || !strings.Contains(r.Resource, resource) {
			s.t.Errorf("the ledger has %+v", r)
		}
	}
	if slices.Sort(types); !slices.Equal(types, want) {
		s.t.Errorf("the ledger has entries of %v, not of %v", types, want)
	}
}

// none reports whether operations hold nothing.
func none(u client.TemporaryUsage) bool {
	for _, sum := range []*client.TemporarySum{&u.Snapshots, &u.Volumes, &u.Images,
		u.Servers, u.Networks, u.Subnets, u.Ports, u.Routers, u.SecurityGroups, u.FloatingIPs} {
		if sum != nil && *sum != (client.TemporarySum{}) {
			return false
		}
	}
	return true
}
