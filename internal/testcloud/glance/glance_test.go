package glance_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

func create(t *testing.T, s *gophercloud.ServiceClient, opts images.CreateOpts) *images.Image {
	t.Helper()
	if opts.DiskFormat == "" {
		opts.DiskFormat, opts.ContainerFormat = "raw", "bare"
	}
	i, err := images.Create(t.Context(), s, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func upload(t *testing.T, s *gophercloud.ServiceClient, id string, data []byte) {
	t.Helper()
	if err := imagedata.Upload(t.Context(), s, id, bytes.NewReader(data)).ExtractErr(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *gophercloud.ServiceClient, id string) *images.Image {
	t.Helper()
	i, err := images.Get(t.Context(), s, id).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// names lists the images that a query finds, in order.
func names(t *testing.T, s *gophercloud.ServiceClient, opts images.ListOpts) string {
	t.Helper()
	pages, err := images.List(s, opts).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := images.ExtractImages(pages)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range list {
		all = append(all, i.Name)
	}
	return strings.Join(all, " ")
}

func TestUploadedBytesComeBackWithTheirChecksums(t *testing.T) {
	c := testcloudtest.Start(t)
	s := c.Images(t, "demo")
	data := append(bytes.Repeat([]byte("image "), 50000), make([]byte, 1<<20)...)
	i := create(t, s, images.CreateOpts{Name: "one", Properties: map[string]string{"os_distro": "x"}, Tags: []string{"tag"}})
	if i.Status != images.ImageStatusQueued || i.Owner != c.Projects().Demo || i.Properties["os_distro"] != "x" {
		t.Errorf("%+v", i)
	}
	upload(t, s, i.ID, data)
	i = get(t, s, i.ID)
	md, sha := md5.Sum(data), sha512.Sum512(data)
	if i.Status != images.ImageStatusActive || i.SizeBytes != int64(len(data)) || i.Checksum != hex.EncodeToString(md[:]) ||
		i.Properties["os_hash_algo"] != "sha512" || i.Properties["os_hash_value"] != hex.EncodeToString(sha[:]) {
		t.Errorf("%+v", i)
	}
	body, err := imagedata.Download(t.Context(), s, i.ID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back: %v", len(got), err)
	}
	a := c.Do(t, s.TokenID, "GET", "/image/v2/images/"+i.ID+"/file", nil, "Range", "bytes=6-11")
	if a.Status != 206 || string(a.Body) != "image " || a.Header.Get("Content-Md5") != i.Checksum {
		t.Errorf("a range: %d %q %v", a.Status, a.Body, a.Header)
	}
	if err := imagedata.Upload(t.Context(), s, i.ID, strings.NewReader("x")).ExtractErr(); !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("a second upload: %v", err)
	}
}

func TestUploadThatIsCutLeavesTheImageQueued(t *testing.T) {
	c := testcloudtest.Start(t)
	s := c.Images(t, "demo")
	i := create(t, s, images.CreateOpts{Name: "cut"})
	read, write := io.Pipe()
	go func() {
		_, _ = write.Write([]byte("some bytes"))
		_ = write.CloseWithError(io.ErrUnexpectedEOF)
	}()
	if err := imagedata.Upload(t.Context(), s, i.ID, read).ExtractErr(); err == nil {
		t.Fatal("a cut upload had no error")
	}
	testcloudtest.Await(t, "queued", func() bool { return get(t, s, i.ID).Status == images.ImageStatusQueued })
	if a := c.Do(t, s.TokenID, "GET", "/image/v2/images/"+i.ID+"/file", nil); a.Status != 204 {
		t.Errorf("the file of a queued image: %d", a.Status)
	}
	upload(t, s, i.ID, []byte("again"))
}

func TestImageWithoutFormatsTakesNoBytes(t *testing.T) {
	c := testcloudtest.Start(t)
	token := c.Client(t, "demo").TokenID
	var i struct{ ID string }
	a := c.Do(t, token, "POST", "/image/v2/images", struct{}{})
	if err := json.Unmarshal(a.Body, &i); err != nil || a.Status != 201 {
		t.Fatal(a.Status, err)
	}
	a = c.Do(t, token, "PUT", "/image/v2/images/"+i.ID+"/file", strings.NewReader("x"), "Content-Type", "application/octet-stream")
	if a.Status != 400 || !strings.Contains(string(a.Body), "Properties disk_format, container_format must be set") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestPatchChangesWhatMayBeChanged(t *testing.T) {
	c := testcloudtest.Start(t)
	token := c.Client(t, "demo").TokenID
	i := create(t, c.Images(t, "demo"), images.CreateOpts{Name: "one"})
	patch := func(ops string) testcloudtest.Answer {
		return c.Do(t, token, "PATCH", "/image/v2/images/"+i.ID, strings.NewReader(ops), "Content-Type", "application/openstack-images-v2.1-json-patch")
	}
	for _, step := range []struct {
		ops    string
		status int
	}{
		{`[{"op":"add","path":"/extra","value":"e"},{"op":"replace","path":"/name","value":"two"}]`, 200},
		{`[{"op":"replace","path":"/extra","value":"f"},{"op":"replace","path":"/protected","value":true}]`, 200},
		{`[{"op":"replace","path":"/none","value":"f"}]`, 409},
		{`[{"op":"replace","path":"/status","value":"active"}]`, 403},
		{`[{"op":"remove","path":"/name"}]`, 403},
		{`[{"op":"replace","path":"/visibility","value":"public"}]`, 403},
		{`[{"op":"replace","path":"/visibility","value":"odd"}]`, 400},
		{`[{"op":"replace","path":"/min_disk","value":"much"}]`, 400},
		{`[{"op":"move","path":"/name"}]`, 400},
	} {
		if a := patch(step.ops); a.Status != step.status {
			t.Errorf("%s: %d %s", step.ops, a.Status, a.Body)
		}
	}
	got := get(t, c.Images(t, "demo"), i.ID)
	if got.Name != "two" || got.Properties["extra"] != "f" || !got.Protected {
		t.Errorf("%+v", got)
	}
	if a := c.Do(t, token, "DELETE", "/image/v2/images/"+i.ID, nil); a.Status != 403 || !strings.Contains(string(a.Body), "is protected and cannot be deleted") {
		t.Errorf("deleting a protected image: %d %s", a.Status, a.Body)
	}
	if a := patch(`[{"op":"replace","path":"/protected","value":false},{"op":"remove","path":"/extra"}]`); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := c.Do(t, token, "DELETE", "/image/v2/images/"+i.ID, nil); a.Status != 204 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := c.Do(t, token, "GET", "/image/v2/images/"+i.ID, nil); a.Status != 404 {
		t.Errorf("a deleted image: %d", a.Status)
	}
}

func TestListFiltersSortsAndPages(t *testing.T) {
	c := testcloudtest.Start(t)
	s := c.Images(t, "demo")
	for _, name := range []string{"b", "a", "c"} {
		create(t, s, images.CreateOpts{Name: name, Tags: []string{"mine"}})
	}
	for _, q := range []struct {
		opts images.ListOpts
		want string
	}{
		{images.ListOpts{Tags: []string{"mine"}}, "c a b"},
		{images.ListOpts{Tags: []string{"mine"}, Sort: "name:asc"}, "a b c"},
		{images.ListOpts{Tags: []string{"mine"}, SortKey: "name", SortDir: "desc", Limit: 2}, "c b a"},
		{images.ListOpts{Name: "a"}, "a"},
		{images.ListOpts{Status: images.ImageStatusActive}, "cirros"},
		{images.ListOpts{Visibility: images.ImageVisibilityPublic}, "cirros"},
		{images.ListOpts{Owner: c.Projects().Demo, Limit: 1}, "c a b"},
		{images.ListOpts{Name: "none"}, ""},
	} {
		if got := names(t, s, q.opts); got != q.want {
			t.Errorf("%+v: %q, not %q", q.opts, got, q.want)
		}
	}
	for _, query := range []string{"?sort=odd:asc", "?marker=none", "?limit=x", "?sort=name:up"} {
		if a := c.Do(t, s.TokenID, "GET", "/image/v2/images"+query, nil); a.Status != 400 {
			t.Errorf("%s: %d", query, a.Status)
		}
	}
}

func TestImagesOfAnotherProjectAreNotThere(t *testing.T) {
	c := testcloudtest.Start(t)
	s, other := c.Images(t, "demo"), c.Client(t, "other").TokenID
	private := images.ImageVisibilityPrivate
	i := create(t, s, images.CreateOpts{Name: "mine", Visibility: &private})
	upload(t, s, i.ID, []byte("secret"))
	for _, q := range [][2]string{{"GET", ""}, {"GET", "/file"}, {"DELETE", ""}, {"GET", "/members"}} {
		if a := c.Do(t, other, q[0], "/image/v2/images/"+i.ID+q[1], nil); a.Status != 404 {
			t.Errorf("%v: %d", q, a.Status)
		}
	}
	if got := names(t, c.Images(t, "other"), images.ListOpts{}); got != "cirros" {
		t.Errorf("the other project lists %q", got)
	}
	if got := names(t, c.Images(t, "admin"), images.ListOpts{}); !slices.Contains(strings.Fields(got), "mine") {
		t.Errorf("the administrator lists %q", got)
	}
}

func TestSharedImageIsForItsMembers(t *testing.T) {
	c := testcloudtest.Start(t)
	demo, other := c.Client(t, "demo").TokenID, c.Client(t, "other").TokenID
	i := create(t, c.Images(t, "demo"), images.CreateOpts{Name: "shared"})
	path, member := "/image/v2/images/"+i.ID, c.Projects().Other
	for _, step := range []struct {
		token, method, path string
		body                any
		status              int
	}{
		{other, "GET", path, nil, 404},
		{demo, "POST", path + "/members", map[string]string{"member": member}, 200},
		{demo, "POST", path + "/members", map[string]string{"member": member}, 409},
		{other, "GET", path, nil, 200},
		{other, "DELETE", path, nil, 403},
		{demo, "PUT", path + "/members/" + member, map[string]string{"status": "accepted"}, 403},
		{other, "PUT", path + "/members/" + member, map[string]string{"status": "accepted"}, 200},
		{other, "PUT", path + "/members/" + member, map[string]string{"status": "odd"}, 400},
	} {
		if a := c.Do(t, step.token, step.method, step.path, step.body); a.Status != step.status {
			t.Errorf("%s %s: %d %s", step.method, step.path, a.Status, a.Body)
		}
	}
	if got := names(t, c.Images(t, "other"), images.ListOpts{}); got != "shared cirros" {
		t.Errorf("the member lists %q", got)
	}
}

func TestReadersChangeNothing(t *testing.T) {
	c := testcloudtest.Start(t)
	i := create(t, c.Images(t, "demo"), images.CreateOpts{Name: "one"})
	reader := c.Client(t, "demo-reader").TokenID
	for _, q := range [][2]string{{"POST", ""}, {"DELETE", "/" + i.ID}, {"PUT", "/" + i.ID + "/tags/x"}} {
		if a := c.Do(t, reader, q[0], "/image/v2/images"+q[1], map[string]string{}); a.Status != 403 {
			t.Errorf("%v: %d", q, a.Status)
		}
	}
	if a := c.Do(t, reader, "GET", "/image/v2/images/"+i.ID, nil); a.Status != 200 {
		t.Errorf("reading: %d", a.Status)
	}
}

func TestDeactivatedImageGivesNoBytes(t *testing.T) {
	c := testcloudtest.Start(t)
	s := c.Images(t, "demo")
	i := create(t, s, images.CreateOpts{Name: "one"})
	upload(t, s, i.ID, []byte("x"))
	admin := c.Client(t, "admin").TokenID
	path := "/image/v2/images/" + i.ID
	for _, step := range []struct {
		token, method, path string
		status              int
	}{
		{s.TokenID, "POST", path + "/actions/deactivate", 403}, {admin, "POST", path + "/actions/deactivate", 204},
		{s.TokenID, "GET", path + "/file", 403}, {admin, "POST", path + "/actions/reactivate", 204}, {s.TokenID, "GET", path + "/file", 200},
	} {
		if a := c.Do(t, step.token, step.method, step.path, nil); a.Status != step.status {
			t.Errorf("%s %s: %d", step.method, step.path, a.Status)
		}
	}
}
