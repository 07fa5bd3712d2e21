package checkpoint

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// Ids of the sample checkpoint.
const (
	project  = "0b5e2c1ac7b94b6c9b3d5c1f0a7e4d21"
	provider = "cf56bd3e-97a7-4078-b6d5-f36246333fd9"
	plan     = "3f3e1b64-5b1f-4b0c-8f4e-2a6d1c9b7e55"
	cpID     = "8b0f1d6e-52a4-4c8e-9c3b-6a1e7d2f4b90"
	serverID = "9a3cd7ac-4dcb-4e8b-a9a1-05b0e9f5d4c1"
	volumeID = "1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42"
	imageID  = "7f8e9d0c-1b2a-4394-8576-6a5b4c3d2e1f"
)

var start = time.Date(2024, 3, 1, 12, 0, 0, 123456000, time.UTC)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sample is a checkpoint of a server with a volume and an image.
func sample() karbor.Checkpoint {
	server := karbor.Resource{Type: karbor.ServerType, ID: serverID, Name: "web <1> & co", ExtraInfo: map[string]string{"availability_zone": "nova"}}
	volume := karbor.Resource{Type: karbor.VolumeType, ID: volumeID, Name: "data"}
	graph := &karbor.Graph{}
	s := graph.Add(server, "")
	graph.Connect(s, graph.Add(volume, ""))
	graph.Connect(s, graph.Add(karbor.Resource{Type: karbor.ImageType, ID: imageID, Name: "cirros"}, serverID))
	return karbor.Checkpoint{
		ID: cpID, ProjectID: project, ProviderID: provider, Status: karbor.CheckpointProtecting,
		Plan: karbor.PlanRecord{
			ID: plan, Name: "My plan", ProviderID: provider, Resources: []karbor.Resource{server, volume},
			Parameters: karbor.Parameters{"OS::Cinder::Volume": {"backup_name": "b"}},
		},
		Graph:     graph,
		ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)},
		CreatedAt: start, UpdatedAt: start,
	}
}

// other is a checkpoint with another id, created later.
func other(id string, after time.Duration) karbor.Checkpoint {
	cp := sample()
	cp.ID, cp.CreatedAt, cp.UpdatedAt = id, start.Add(after), start.Add(after)
	return cp
}

// open opens a bank's checkpoints for an owner, and acquires its lease.
func open(t testing.TB, b bank.Bank, c *clock, owner string) *Checkpoints {
	t.Helper()
	cs, err := Open(t.Context(), b, Options{Owner: owner, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := cs.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cs
}

// memory makes a bank whose clock is c.
func memory(c *clock) *banktest.Memory {
	m := banktest.NewMemory()
	m.SetNow(c.Now)
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("error %v of kind %v, want kind %v", err, karbor.KindOf(err), kind)
	}
}
