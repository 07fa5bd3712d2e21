package testcloud_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"go.uber.org/goleak"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// slow lets state changes take so long that none ends by itself in a test.
func slow(o *testcloud.Options) { o.Timing.Change = time.Hour }

func status(t *testing.T, c *testcloudtest.Cloud, id string) string {
	t.Helper()
	v, err := volumes.Get(t.Context(), c.Volumes(t, "demo"), id).Extract()
	if err != nil {
		if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
			return "gone"
		}
		t.Fatal(err)
	}
	return v.Status
}

func TestStateChangesUnderWayAreEndedByTheNextRun(t *testing.T) {
	c := testcloudtest.Start(t)
	s := c.Volumes(t, "demo")
	var ids []string
	for range 3 {
		v, err := volumes.Create(t.Context(), s, volumes.CreateOpts{Size: 1}, nil).Extract()
		if err != nil {
			t.Fatal(err)
		}
		testcloudtest.Await(t, "available", func() bool { return status(t, c, v.ID) == "available" })
		ids = append(ids, v.ID)
	}
	c.Options.Timing.Change = time.Hour
	c.Restart(t)
	s = c.Volumes(t, "demo")
	made, err := volumes.Create(t.Context(), s, volumes.CreateOpts{SourceVolID: ids[0]}, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := volumes.Delete(t.Context(), s, ids[1], nil).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	up, err := volumes.UploadImage(t.Context(), s, ids[2], volumes.UploadImageOpts{ImageName: "x", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := snapshots.Create(t.Context(), s, snapshots.CreateOpts{VolumeID: ids[0]}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{status(t, c, made.ID), status(t, c, ids[1]), status(t, c, ids[2])}; strings.Join(got, " ") != "creating deleting uploading" {
		t.Fatalf("the states are %v", got)
	}
	c.Options.Timing.Change = time.Millisecond
	c.Restart(t)
	testcloudtest.Await(t, "created", func() bool { return status(t, c, made.ID) == "available" })
	testcloudtest.Await(t, "deleted", func() bool { return status(t, c, ids[1]) == "gone" })
	testcloudtest.Await(t, "uploaded", func() bool { return status(t, c, ids[2]) == "available" })
	if i, err := images.Get(t.Context(), c.Images(t, "demo"), up.ImageID).Extract(); err != nil || i.Status != images.ImageStatusActive {
		t.Errorf("%+v %v", i, err)
	}
	testcloudtest.Await(t, "snapshot", func() bool {
		got, err := snapshots.Get(t.Context(), c.Volumes(t, "demo"), snap.ID).Extract()
		return err == nil && got.Status == "available"
	})
}

func TestRestartKeepsUsersTokensAndContent(t *testing.T) {
	c := testcloudtest.Start(t, slow)
	users, projects, token := c.Users(), c.Projects(), c.Client(t, "demo").TokenID
	a := c.Do(t, token, "GET", "/image/v2/images?name=cirros", nil)
	c.Restart(t)
	if c.Projects() != projects || len(c.Users()) != len(users) {
		t.Errorf("%+v %+v", c.Projects(), c.Users())
	}
	for i, u := range c.Users() {
		if u != users[i] {
			t.Errorf("%+v became %+v", users[i], u)
		}
	}
	if b := c.Do(t, token, "GET", "/image/v2/images?name=cirros", nil); b.Status != 200 || string(b.Body) != string(a.Body) {
		t.Errorf("%d %s\nwas %s", b.Status, b.Body, a.Body)
	}
}

// childEnv names the folder of the cloud that the test program itself runs.
const childEnv = "TESTCLOUD_CHILD_DIR"

// TestMain is also the program that TestKilledCloudLosesNothing kills.
func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		goleak.VerifyTestMain(m)
		return
	}
	c, err := testcloud.Start(context.Background(), testcloud.Options{Dir: dir, Now: time.Now})
	if err == nil {
		u, _ := c.User("demo")
		err = os.WriteFile(filepath.Join(dir, "login.new"), []byte(strings.Join([]string{c.URL(), u.Name, u.Password, u.ProjectID}, " ")), 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, "login.new"), filepath.Join(dir, "login"))
	}
	if err != nil {
		os.Exit(1)
	}
	select {}
}

func TestKilledCloudLosesNothing(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childEnv+"="+dir)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var login []string
	testcloudtest.Await(t, "the other process", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "login"))
		login = strings.Fields(string(text))
		return err == nil
	})
	p, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{IdentityEndpoint: login[0], Username: login[1],
		Password: login[2], DomainID: "default", Scope: &gophercloud.AuthScope{ProjectID: login[3]}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := openstack.NewBlockStorageV3(p, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 20 {
		v, err := volumes.Create(t.Context(), s, volumes.CreateOpts{Size: 1}, nil).Extract()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // says that it was killed
	p.HTTPClient.CloseIdleConnections()
	c := testcloudtest.Start(t, func(o *testcloud.Options) { o.Dir = dir })
	if len(c.Users()) != 5 {
		t.Errorf("%+v", c.Users())
	}
	for _, id := range ids {
		testcloudtest.Await(t, "available", func() bool { return status(t, c, id) == "available" })
	}
	a := c.Do(t, c.Client(t, "demo").TokenID, "GET", "/image/v2/images", nil)
	if got := strings.Count(string(a.Body), `"name":"cirros"`); got != 1 {
		t.Errorf("%d images cirros: %s", got, a.Body)
	}
}

func TestCloseFreesRequestsThatHang(t *testing.T) {
	c := testcloudtest.Start(t)
	if _, err := c.Faults().Add(fabric.Fault{Service: "keystone", Answer: fabric.AnswerHang}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		res, err := http.Get(c.URL())
		if err == nil {
			err = errors.Join(errors.New("an answer came"), res.Body.Close())
		} else {
			err = nil
		}
		done <- err
	}()
	testcloudtest.Await(t, "the request", func() bool { return c.Faults().List()[0].Acted == 1 })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFaultsAreAskedForOverHTTP(t *testing.T) {
	c := testcloudtest.Start(t)
	admin, s := c.Client(t, "admin").TokenID, c.Volumes(t, "demo")
	a := c.Do(t, admin, "POST", "/testcloud/faults", map[string]any{"service": "cinder", "method": "POST", "path": "/volumes$", "status": 503, "times": 1})
	if a.Status != 201 {
		t.Fatal(a.Status, string(a.Body))
	}
	_, err := volumes.Create(t.Context(), s, volumes.CreateOpts{Size: 1}, nil).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusServiceUnavailable) {
		t.Errorf("the first: %v", err)
	}
	if _, err := volumes.Create(t.Context(), s, volumes.CreateOpts{Size: 1}, nil).Extract(); err != nil {
		t.Errorf("the second: %v", err)
	}
	if a := c.Do(t, s.TokenID, "POST", "/testcloud/faults", map[string]any{"status": 500}); a.Status != 403 {
		t.Errorf("demo made a fault: %d", a.Status)
	}
}

func TestEveryServiceIsFoundAndAnswersItsVersions(t *testing.T) {
	c := testcloudtest.Start(t)
	for path, want := range map[string]int{"/": 300, "/v3": 200, "/volume/": 300, "/volume/v3/": 200, "/image/": 300, "/compute/v2.1/": 200, "/network/": 200} {
		if a := c.Do(t, "", "GET", path, nil); a.Status != want || !strings.Contains(string(a.Body), `"version`) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	demo := c.Client(t, "demo").TokenID
	for path, want := range map[string]string{"/compute/v2.1/flavors": "m1.tiny", "/network/v2.0/networks": `"public"`, "/image/v2/images": "cirros"} {
		if a := c.Do(t, demo, "GET", path, nil); a.Status != 200 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}

func TestOpenRCIsReadByAShell(t *testing.T) {
	c := testcloudtest.Start(t)
	u, _ := c.User("demo-reader")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", c.OpenRC(u)+`echo "$OS_USERNAME $OS_PROJECT_NAME $OS_PASSWORD $OS_AUTH_URL"`).Output()
	if want := "demo-reader demo " + u.Password + " " + c.URL() + "\n"; err != nil || string(out) != want {
		t.Errorf("%q, not %q: %v", out, want, err)
	}
}
