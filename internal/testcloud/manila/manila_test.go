package manila_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// tenant is a user of a cloud's shares.
type tenant struct {
	t     *testing.T
	cloud *testcloudtest.Cloud
	token string
}

func login(t *testing.T, c *testcloudtest.Cloud, user string) tenant {
	t.Helper()
	return tenant{t, c, c.Client(t, user).Token()}
}

// do asks the service, and gives the status and the answer's only member.
func (n tenant) do(method, path string, body any) (int, map[string]any) {
	n.t.Helper()
	a := n.cloud.Do(n.t, n.token, method, "/share/v2"+path, body, "X-OpenStack-Manila-API-Version", "2.63")
	var doc map[string]map[string]any
	_ = json.Unmarshal(a.Body, &doc)
	for _, member := range doc {
		return a.Status, member
	}
	return a.Status, nil
}

func (n tenant) share(members map[string]any) (int, map[string]any) {
	n.t.Helper()
	ask := map[string]any{"name": "files", "share_proto": "NFS", "size": 1}
	maps.Copy(ask, members)
	return n.do(http.MethodPost, "/shares", map[string]any{"share": ask})
}

func (n tenant) await(path, want string) {
	n.t.Helper()
	testcloudtest.Await(n.t, want, func() bool {
		status, shown := n.do(http.MethodGet, path, nil)
		return status == http.StatusNotFound && want == "gone" || shown["status"] == want
	})
}

func TestQuotasEndCreates(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	u, _ := c.User("demo")
	c.Quotas().Set(u.ProjectID, "shares", 1)
	c.Quotas().Set(u.ProjectID, "share_snapshots", 0)
	_, made := demo.share(nil)
	demo.await("/shares/"+made["id"].(string), "available")
	if status, _ := demo.share(nil); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a second share gives %d", status)
	}
	status, _ := demo.do(http.MethodPost, "/snapshots", map[string]any{"snapshot": map[string]any{"share_id": made["id"]}})
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a snapshot gives %d", status)
	}
}

// TestQuotasOfAShareTypeEndCreates has an administrator set quotas of one type, in place of the project's.
func TestQuotasOfAShareTypeEndCreates(t *testing.T) {
	c := testcloudtest.Start(t)
	demo, admin := login(t, c, "demo"), login(t, c, "admin")
	u, _ := c.User("demo")
	path := "/quota-sets/" + u.ProjectID
	set := func(want int, query string, quotas map[string]any) {
		t.Helper()
		if status, _ := admin.do(http.MethodPut, path+query, map[string]any{"quota_set": quotas}); status != want {
			t.Errorf("setting %v%s gives %d; want %d", quotas, query, status, want)
		}
	}
	set(http.StatusOK, "", map[string]any{"per_share_gigabytes": 3})
	set(http.StatusOK, "?share_type=frozen", map[string]any{"shares": 1, "snapshot_gigabytes": "1"})
	set(http.StatusBadRequest, "?share_type=frozen", map[string]any{"shares": 51})
	set(http.StatusBadRequest, "?share_type=frozen", map[string]any{"share_networks": 1})
	set(http.StatusBadRequest, "", map[string]any{"doors": 1})
	set(http.StatusBadRequest, "", map[string]any{"shares": "many"})
	set(http.StatusBadRequest, "", map[string]any{"shares": -2})
	if status, _ := demo.share(map[string]any{"size": 4}); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a share of 4 GiB gives %d", status)
	}
	_, made := demo.share(map[string]any{"share_type": "frozen", "size": 2})
	demo.await("/shares/"+made["id"].(string), "available")
	for _, ask := range []struct {
		kind string
		want int
	}{{"frozen", http.StatusRequestEntityTooLarge}, {"default", http.StatusOK}} {
		if status, _ := demo.share(map[string]any{"share_type": ask.kind}); status != ask.want {
			t.Errorf("another share of the type %s gives %d; want %d", ask.kind, status, ask.want)
		}
	}
	status, _ := demo.do(http.MethodPost, "/snapshots", map[string]any{"snapshot": map[string]any{"share_id": made["id"]}})
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a snapshot of 2 GiB gives %d", status)
	}
	set(http.StatusBadRequest, "", map[string]any{"shares": 1})
	if status, _ := admin.do(http.MethodDelete, path+"?share_type=frozen", nil); status != http.StatusAccepted {
		t.Errorf("the defaults give %d", status)
	}
	if _, shown := demo.do(http.MethodGet, path+"/detail?share_type=frozen", nil); fmt.Sprint(shown["shares"]) != "map[in_use:1 limit:50 reserved:0]" {
		t.Errorf("shown is %v", shown)
	}
	if status, _ := demo.do(http.MethodPut, path, map[string]any{"quota_set": map[string]any{"shares": 9}}); status != http.StatusForbidden {
		t.Errorf("a tenant who sets quotas gets %d", status)
	}
}

func TestShareTypesSayWhatSharesCan(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	if status, _ := demo.share(map[string]any{"share_type": "networked"}); status != http.StatusBadRequest {
		t.Errorf("a share without a network gives %d", status)
	}
	_, plain := demo.share(map[string]any{"share_type": "plain"})
	demo.await("/shares/"+plain["id"].(string), "available")
	status, _ := demo.do(http.MethodPost, "/snapshots", map[string]any{"snapshot": map[string]any{"share_id": plain["id"]}})
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a snapshot of a plain share gives %d", status)
	}
	_, network := demo.do(http.MethodPost, "/share-networks", map[string]any{"share_network": map[string]any{"name": "n"}})
	_, made := demo.share(map[string]any{"share_type": "networked", "share_network_id": network["id"]})
	path := "/share-networks/" + network["id"].(string)
	if status, _ := demo.do(http.MethodDelete, path, nil); status != http.StatusConflict {
		t.Errorf("deleting a network that is in use gives %d", status)
	}
	demo.await("/shares/"+made["id"].(string), "available")
	_, _ = demo.do(http.MethodDelete, "/shares/"+made["id"].(string), nil)
	demo.await("/shares/"+made["id"].(string), "gone")
	if status, _ := demo.do(http.MethodDelete, path, nil); status != http.StatusAccepted {
		t.Errorf("deleting the network gives %d", status)
	}
}

func TestReadersAndStrangersChangeNothing(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	_, made := demo.share(nil)
	path := "/shares/" + made["id"].(string)
	demo.await(path, "available")
	reader, other := login(t, c, "demo-reader"), login(t, c, "other")
	if status, _ := reader.share(nil); status != http.StatusForbidden {
		t.Errorf("a reader's share gives %d", status)
	}
	if status, _ := reader.do(http.MethodDelete, path, nil); status != http.StatusForbidden {
		t.Errorf("a reader's delete gives %d", status)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if status, _ := other.do(method, path, nil); status != http.StatusNotFound {
			t.Errorf("another project's %s gives %d", method, status)
		}
	}
}

func TestUnfinishedChangesGoOnAtTheNextStart(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := login(t, c, "demo")
	_, origin := demo.share(nil)
	demo.await("/shares/"+origin["id"].(string), "available")
	c.Options.Timing.Change = time.Hour
	c.Restart(t)
	demo = login(t, c, "demo")
	_, made := demo.share(nil)
	_, snapshot := demo.do(http.MethodPost, "/snapshots", map[string]any{"snapshot": map[string]any{"share_id": origin["id"]}})
	c.Options.Timing.Change = time.Millisecond
	c.Restart(t)
	demo = login(t, c, "demo")
	demo.await("/shares/"+made["id"].(string), "available")
	demo.await("/snapshots/"+snapshot["id"].(string), "available")
}

func TestFaultsLeaveErrorStates(t *testing.T) {
	c := testcloudtest.Start(t)
	if _, err := c.Faults().Add(fabric.Fault{Service: "manila", Transition: "share.create", Fail: true}); err != nil {
		t.Fatal(err)
	}
	demo := login(t, c, "demo")
	_, made := demo.share(nil)
	demo.await("/shares/"+made["id"].(string), "error")
}
