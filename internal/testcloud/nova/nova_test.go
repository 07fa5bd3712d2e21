package nova

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/testcloud/barbican"
	"github.com/karbor/karbor/internal/testcloud/cinder"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/glance"
	"github.com/karbor/karbor/internal/testcloud/neutron"
)

// tokens is an authenticator whose tokens are the projects' names.
type tokens struct{}

func (tokens) Authenticate(token string) (fabric.Identity, bool) {
	who := fabric.Identity{UserID: "user-" + token, ProjectID: token, Roles: []string{"member", "reader"}}
	if token == "admin" {
		who.Roles = append(who.Roles, "admin")
	}
	return who, true
}

// site is a cloud without Keystone.
type site struct {
	*Nova
	t      *testing.T
	fab    *fabric.Fabric
	images *glance.Glance
	vols   fabric.Volumes
}

// who is project a's identity.
var who = fabric.Identity{UserID: "user-a", ProjectID: "a", Roles: []string{"member", "reader"}}

func open(t *testing.T, dir string, change time.Duration) *site {
	t.Helper()
	f, err := fabric.Open(fabric.Options{
		Dir: dir, Timing: fabric.Timing{Change: change}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.UseAuthenticator(tokens{})
	keys := barbican.New(f)
	images := glance.New(f, keys)
	volumes := cinder.New(f, images, keys)
	networks := neutron.New(f)
	n := New(f, images, volumes, networks)
	for _, s := range []any{volumes, networks, n} {
		if s, ok := s.(fabric.Seeder); ok {
			if err := s.Seed(t.Context(), fabric.Projects{Admin: "admin"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &site{Nova: n, t: t, fab: f, images: images, vols: volumes}
}

func start(t *testing.T) *site {
	t.Helper()
	s := open(t, t.TempDir(), -1)
	t.Cleanup(func() {
		if err := s.fab.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call makes a request and gives the status and the JSON.
func (s *site) call(project, version, method, path string, body any) (int, object) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest(method, root+path, bytes.NewReader(text))
	r.Header.Set("X-Auth-Token", project)
	r.Header.Set("OpenStack-API-Version", "compute "+version)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var o object
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			s.t.Fatalf("%s %s gave no JSON: %s", method, path, w.Body)
		}
	}
	return w.Code, o
}

// image makes an active image of these bytes.
func (s *site) image(content []byte) string {
	s.t.Helper()
	image, err := s.images.CreateImage(who, fabric.ImageSpec{Name: "root", DiskFormat: "raw", Properties: map[string]string{"os_distro": "x"}})
	if err != nil {
		s.t.Fatal(err)
	}
	from := fabric.Blob{Kind: fabric.BackupBlob, ID: "content-" + image.ID}
	if _, err := s.fab.Blobs.Receive(s.t.Context(), from, bytes.NewReader(content)); err != nil {
		s.t.Fatal(err)
	}
	if err := s.images.FillImage(s.t.Context(), image.ID, from); err != nil {
		s.t.Fatal(err)
	}
	return image.ID
}

// server makes a server and waits until its guest has written.
func (s *site) server(members object) Server {
	s.t.Helper()
	want := object{"name": "srv", "flavorRef": "1", "networks": "none"}
	maps.Copy(want, members)
	status, o := s.call("a", "2.52", http.MethodPost, "/servers", object{"server": want})
	if status != http.StatusAccepted {
		s.t.Fatalf("making a server: %d %v", status, o)
	}
	id, _ := o["server"].(object)["id"].(string)
	return s.await(id, func(s Server) bool { return s.State == failed || s.State == active && s.Written == s.Boots })
}

// await waits, in the bubble's own time, until the server is as wanted.
func (s *site) await(id string, done func(Server) bool) Server {
	s.t.Helper()
	for range 3000 {
		if now, ok := s.servers.Get(id); ok && done(now) {
			return now
		}
		time.Sleep(10 * time.Millisecond)
	}
	now, _ := s.servers.Get(id)
	s.t.Fatalf("the server does not get there: %+v", now)
	return now
}

func (s *site) gone(id string) {
	s.t.Helper()
	for range 3000 {
		if _, ok := s.servers.Get(id); !ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("the server does not go")
}

// disk gives the first bytes of a server's root disk.
func (s *site) disk(id string, length int) []byte {
	s.t.Helper()
	blob, ok := s.RootBlob(id)
	if !ok {
		s.t.Fatal("the server has no root disk")
	}
	f, err := s.fab.Blobs.Open(blob)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, length)
	if _, err := io.ReadFull(f, block); err != nil {
		s.t.Fatal(err)
	}
	return block
}

func TestEachBootRewritesOneBlockOfTheRootDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		content := bytes.Repeat([]byte{7}, 100_000)
		server := s.server(object{"imageRef": s.image(content)})
		at, length := guestPlace(int64(len(content)), true)
		expect := func(boot int) {
			t.Helper()
			want := slices.Clone(content)
			server.Boots = boot
			copy(want[at:at+length], guestBytes(server))
			if got := s.disk(server.ID, len(content)); !bytes.Equal(got, want) {
				t.Errorf("after boot %d the root disk is not the image with one block changed", boot)
			}
		}
		expect(1)
		for _, action := range []object{{"os-stop": nil}, {"os-start": nil}} {
			status, o := s.call("a", "2.1", http.MethodPost, "/servers/"+server.ID+"/action", action)
			if status != http.StatusAccepted {
				t.Fatalf("%v: %d %v", action, status, o)
			}
			s.await(server.ID, func(s Server) bool { return s.Task == "" && s.Written == s.Boots })
		}
		expect(2)
	})
}

func TestGuestWritesInsideTheDisk(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 512, 4096, 1 << 20, 2 << 20, 1 << 30} {
		at, length := guestPlace(size, true)
		if at < 0 || length < 0 || at+length > size || size >= 8192 && length != guestBlock {
			t.Errorf("in %d bytes the guest writes [%d,%d)", size, at, at+length)
		}
	}
	if at, length := guestPlace(1000, false); at != 1000 || length != guestBlock {
		t.Errorf("of a disk that isn't raw the guest writes [%d,%d)", at, at+length)
	}
}

func TestServerOfAVolumeWritesIntoItAndGivesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		content := bytes.Repeat([]byte{9}, 4<<20)
		volume, err := s.vols.CreateVolume(who, fabric.VolumeSpec{Name: "boot", SizeGiB: 1, ImageID: s.image(content)})
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			if v, err := s.vols.Volume(who, volume.ID); err != nil || v.Status == "available" {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		server := s.server(object{"block_device_mapping_v2": []object{
			{"boot_index": 0, "uuid": volume.ID, "source_type": "volume", "destination_type": "volume"},
			{"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": true},
		}})
		if server.State != active || len(server.Devices) != 2 || server.Devices[0].Name != "/dev/vda" || server.Devices[1].Name != "/dev/vdb" {
			t.Fatalf("the server is %+v", server)
		}
		copy(content[1<<20:], guestBytes(server))
		if !bytes.Equal(s.disk(server.ID, len(content)), content) {
			t.Error("the volume is not the image with the guest's block")
		}
		if v, err := s.vols.Volume(who, volume.ID); err != nil || v.Status != "in-use" {
			t.Errorf("the boot volume is %+v, %v", v, err)
		}
		s.call("a", "2.1", http.MethodDelete, "/servers/"+server.ID, nil)
		s.gone(server.ID)
		if v, err := s.vols.Volume(who, volume.ID); err != nil || v.Status != "available" {
			t.Errorf("after the server the boot volume is %+v, %v", v, err)
		}
	})
}

func TestServerWhoseBuildFailsIsInErrorWithAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		faults := s.fab.Faults
		if _, err := faults.Add(fabric.Fault{Service: "nova", Transition: "server.create", Fail: true, Times: 1}); err != nil {
			t.Fatal(err)
		}
		server := s.server(object{"imageRef": s.image([]byte("root"))})
		_, o := s.call("a", "2.1", http.MethodGet, "/servers/"+server.ID, nil)
		shown := o["server"].(object)
		fault, _ := shown["fault"].(object)
		if shown["status"] != "ERROR" || fault["code"] != 500.0 || fault["message"] == "" {
			t.Errorf("the server that failed is %v with fault %v", shown["status"], fault)
		}
		s.call("a", "2.1", http.MethodDelete, "/servers/"+server.ID, nil)
		s.gone(server.ID)
		if _, err := s.fab.Blobs.Open(s.blob(server.ID)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the root disk is still there: %v", err)
		}
	})
}

func TestMicroversionsShowWhatTheyBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		server := s.server(object{"imageRef": s.image([]byte("root disk")), "tags": []string{"t"}, "user_data": "aGk="})
		for _, one := range []struct {
			project, version, member string
			shown                    bool
		}{
			{"a", "2.1", "tags", false}, {"a", "2.26", "tags", true},
			{"a", "2.8", "locked", false}, {"a", "2.9", "locked", true},
			{"a", "2.93", "OS-EXT-SRV-ATTR:user_data", false},
			{"admin", "2.2", "OS-EXT-SRV-ATTR:user_data", false}, {"admin", "2.3", "OS-EXT-SRV-ATTR:user_data", true},
			{"a", "2.89", "OS-EXT-SRV-ATTR:hostname", false}, {"a", "2.90", "OS-EXT-SRV-ATTR:hostname", true},
		} {
			_, o := s.call(one.project, one.version, http.MethodGet, "/servers/"+server.ID, nil)
			if _, ok := o["server"].(object)[one.member]; ok != one.shown {
				t.Errorf("%s at %s sees %s: %v, want %v", one.project, one.version, one.member, ok, one.shown)
			}
		}
		_, early := s.call("a", "2.46", http.MethodGet, "/servers/"+server.ID, nil)
		_, late := s.call("a", "2.47", http.MethodGet, "/servers/"+server.ID, nil)
		if early["server"].(object)["flavor"].(object)["id"] != "1" || late["server"].(object)["flavor"].(object)["original_name"] != "m1.tiny" {
			t.Error("the flavor is not embedded from 2.47 on")
		}
	})
}

func TestOthersSeeNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		server := s.server(object{"imageRef": s.image([]byte("root"))})
		for _, one := range [][2]string{
			{http.MethodGet, ""}, {http.MethodPut, ""}, {http.MethodDelete, ""}, {http.MethodPost, "/action"}, {http.MethodGet, "/metadata"},
			{http.MethodGet, "/os-volume_attachments"}, {http.MethodPost, "/os-volume_attachments"}, {http.MethodGet, "/os-interface"},
			{http.MethodGet, "/tags"}, {http.MethodGet, "/os-instance-actions"}, {http.MethodGet, "/os-security-groups"},
		} {
			status, o := s.call("b", "2.26", one[0], "/servers/"+server.ID+one[1], object{"os-stop": nil})
			if status != http.StatusNotFound {
				t.Errorf("%s %s gave %d %v", one[0], one[1], status, o)
			}
		}
		for _, path := range []string{"/servers", "/servers/detail"} {
			if _, o := s.call("b", "2.1", http.MethodGet, path, nil); len(o["servers"].([]any)) != 0 {
				t.Errorf("%s shows another project's servers", path)
			}
		}
	})
}

func TestQuotaOfServersIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		image := s.image([]byte("root"))
		s.fab.Quotas.Set("a", "instances", 1)
		first := s.server(object{"imageRef": image})
		status, o := s.call("a", "2.52", http.MethodPost, "/servers", object{"server": object{
			"name": "two", "flavorRef": "1", "imageRef": image, "networks": "none"}})
		want := object{"forbidden": object{"code": 403.0,
			"message": "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"}}
		if diff := cmp.Diff(want, o); diff != "" || status != http.StatusForbidden {
			t.Errorf("%d %s", status, diff)
		}
		if got := s.servers.List(nil); len(got) != 1 || got[0].ID != first.ID {
			t.Errorf("there are %d servers", len(got))
		}
	})
}

func TestBuildGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir, time.Hour)
		image := s.image([]byte("root disk"))
		status, o := s.call("a", "2.52", http.MethodPost, "/servers", object{"server": object{
			"name": "late", "flavorRef": "1", "imageRef": image, "networks": "none"}})
		if status != http.StatusAccepted {
			t.Fatalf("%d %v", status, o)
		}
		id := fmt.Sprint(o["server"].(object)["id"])
		if now, _ := s.servers.Get(id); now.State != building {
			t.Errorf("the server is %s", now.State)
		}
		if err := s.fab.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, -1)
		defer func() {
			if err := s.fab.Close(); err != nil {
				t.Error(err)
			}
		}()
		s.await(id, func(s Server) bool { return s.State == active && s.Written == 1 })
	})
}

func TestKeysAreEachUsersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		_, o := s.call("a", "2.1", http.MethodPost, "/os-keypairs", object{"keypair": object{"name": "k"}})
		public, _ := o["keypair"].(object)["public_key"].(string)
		if got, err := fingerprint(public); err != nil || got != o["keypair"].(object)["fingerprint"] {
			t.Errorf("the fingerprint is %q, %v", got, err)
		}
		if status, _ := s.call("b", "2.1", http.MethodGet, "/os-keypairs/k", nil); status != http.StatusNotFound {
			t.Errorf("another user's key: %d", status)
		}
		if status, o := s.call("b", "2.92", http.MethodPost, "/os-keypairs", object{"keypair": object{"name": "k", "public_key": public}}); status != http.StatusCreated {
			t.Errorf("the same name for another user: %d %v", status, o)
		}
	})
}
