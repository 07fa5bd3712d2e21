package janitor_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/protection"
)

const (
	ours   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	owner  = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	source = "7e3c9f1e-6e1d-4b97-8f2b-1b7d2f0f8c12"
)

// tenant makes things in a simulated cloud.
type tenant struct {
	*testcloudtest.Cloud
	token, project string
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	c := testcloudtest.Start(t)
	u, _ := c.User("demo")
	return tenant{c, c.Client(t, "demo").TokenID, u.ProjectID}
}

func (n tenant) make(t *testing.T, path, member string, body map[string]any) string {
	t.Helper()
	var request any = body
	if member != "" {
		request = map[string]any{member: body}
	}
	a := n.Do(t, n.token, "POST", path, request)
	var answer struct {
		ID               string
		Volume, Snapshot struct{ ID string }
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil || a.Status/100 != 2 {
		t.Fatalf("POST %s: %d %s", path, a.Status, a.Body)
	}
	return answer.ID + answer.Volume.ID + answer.Snapshot.ID
}

func (n tenant) await(t *testing.T, path, id string) {
	t.Helper()
	for range 2000 {
		var answer struct{ Volume, Snapshot struct{ Status string } }
		a := n.Do(t, n.token, "GET", path+"/"+id, nil)
		if json.Unmarshal(a.Body, &answer) == nil && answer.Volume.Status+answer.Snapshot.Status == "available" {
			return
		}
	}
	t.Fatalf("%s/%s is never available", path, id)
}

func TestOrphansOfAProjectGoAndItsOwnThingsStay(t *testing.T) {
	n := newTenant(t)
	call := protection.Call{Owner: owner, Installation: ours, Node: &karbor.Node{Resource: karbor.Resource{ID: source}}}
	volumes, snapshots := "/volume/v3/"+n.project+"/volumes", "/volume/v3/"+n.project+"/snapshots"
	data := n.make(t, volumes, "volume", map[string]any{"name": "data", "size": 1, "metadata": call.Tags()})
	n.await(t, volumes, data)
	kept := n.make(t, snapshots, "snapshot", map[string]any{"name": call.Name(), "volume_id": data, "metadata": call.Tags()})
	snapshot := n.make(t, snapshots, "snapshot", map[string]any{"name": call.Name(), "volume_id": data, "metadata": call.TemporaryTags()})
	n.await(t, snapshots, kept)
	n.await(t, snapshots, snapshot)
	temporary := n.make(t, volumes, "volume", map[string]any{"name": call.Name(), "size": 1, "metadata": call.TemporaryTags()})
	n.await(t, volumes, temporary)
	properties := map[string]any{"name": call.Name(), "disk_format": "raw", "container_format": "bare"}
	for k, v := range call.TemporaryTags() {
		properties[k] = v
	}
	image := n.make(t, "/image/v2/images", "", properties)
	properties["name"] = "snapshot-of-my-server"
	mine := n.make(t, "/image/v2/images", "", properties)

	j := administrator(t, n)
	before, err := j.Round(t.Context(), janitor.Query{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{snapshot: true, temporary: true, image: true, mine: false}
	got := map[string]bool{}
	for _, f := range before {
		if got[f.ID] = f.Spared == ""; f.ProjectID != n.project {
			t.Errorf("%s is told to be of project %q", f.ID, f.ProjectID)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	if after, err := j.Round(t.Context(), janitor.Query{Remove: true}); err != nil || len(after) != 4 {
		t.Fatalf("%d findings, %v", len(after), err)
	}
	for path, stays := range map[string]bool{
		volumes + "/" + data: true, snapshots + "/" + kept: true, "/image/v2/images/" + mine: true,
		volumes + "/" + temporary: false, snapshots + "/" + snapshot: false, "/image/v2/images/" + image: false,
	} {
		status := 0
		for range 2000 { // a deletion takes a moment
			if status = n.Do(t, n.token, "GET", path, nil).Status; stays || status == http.StatusNotFound {
				break
			}
		}
		if (status == http.StatusOK) != stays {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

// administrator gives a janitor for whom all is old and unknown.
func administrator(t *testing.T, n tenant) *janitor.Janitor {
	t.Helper()
	return administratorBy(t, n, nil)
}

// session gives an administrator's, which reaches the cloud by a way of its own.
func session(t *testing.T, n tenant, way *http.Client) karbor.Cloud {
	t.Helper()
	u, _ := n.User("admin")
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: n.URL(), Username: u.Name, Password: karbor.Secret(u.Password), Project: u.ProjectName, HTTP: way, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authority.Close)
	return authority.Service()
}

// administratorBy gives a janitor that reaches the cloud by a way of its own.
func administratorBy(t *testing.T, n tenant, way *http.Client) *janitor.Janitor {
	t.Helper()
	return janitorOf(t, n, way, empty{})
}

// janitorOf gives one with a ledger.
func janitorOf(t *testing.T, n tenant, way *http.Client, ledger janitor.Ledger) *janitor.Janitor {
	t.Helper()
	j, err := janitor.New(janitor.Options{
		Cloud: janitor.NewCloud(session(t, n, way)), Ledger: ledger, Installation: ours, Age: time.Hour,
		Now:  func() time.Time { return time.Now().Add(100 * time.Hour) },
		Busy: func(context.Context, string, string, string) (bool, error) { return false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// empty is a ledger that was lost.
type empty struct{}

// LiveOwners implements janitor.Ledger.
func (empty) LiveOwners(context.Context) (map[string]bool, error) { return nil, nil }

// Restore implements janitor.Ledger.
func (empty) Restore(_ context.Context, _, id string) (karbor.Restore, error) {
	return karbor.Restore{}, karbor.Errorf(karbor.NotFound, "there is no restore %s", id)
}
