package contract

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// glanceTime is how Glance, Neutron and Nova write a time.
const glanceTime = "2006-01-02T15:04:05Z"

func testImage(t *testing.T, c *cloud) {
	t.Run("life", func(t *testing.T) { testImageLife(t, c) })
	t.Run("range", func(t *testing.T) { testImageRange(t, c) })
	t.Run("properties", func(t *testing.T) { testImageProperties(t, c) })
	t.Run("other project", func(t *testing.T) { testImageIsolation(t, c) })
	t.Run("refused", func(t *testing.T) { testImageRefused(t, c) })
}

func testImageLife(t *testing.T, c *cloud) {
	a := c.member.post(t, "image", "/images", object{
		"name": c.name("image"), "disk_format": "raw", "container_format": "bare", "visibility": "private",
		"min_disk": 1, "os_distro": "debian",
	}).want(t, http.StatusCreated)
	id := a.text("id")
	path := "/images/" + id
	c.member.forget(t, "image", path)
	a.equals(t, "queued", "status")
	a.equals(t, nil, "size")
	a.equals(t, "debian", "os_distro")
	a.equals(t, c.member.projectID, "owner")
	a.dated(t, glanceTime, "created_at")
	if a.header.Get("Location") == "" {
		t.Error("a new image has no Location")
	}
	c.member.get(t, "image", path+"/file").want(t, http.StatusNoContent)

	content := noise(200_003)
	c.member.put(t, "image", path+"/file", bytes.NewReader(content)).want(t, http.StatusNoContent)
	a = c.member.until(t, "image", path, []any{"status"}, "active", "saving")
	md5sum, sha := checksums(content)
	a.equals(t, float64(len(content)), "size")
	a.equals(t, md5sum, "checksum")
	a.equals(t, "sha512", "os_hash_algo")
	a.equals(t, sha, "os_hash_value")
	got := c.member.get(t, "image", path+"/file").want(t, http.StatusOK)
	if !bytes.Equal(got.body, content) {
		t.Error("an image's bytes came back as others")
	}
	got.equalsHeader(t, "Content-Md5", md5sum)
	c.member.put(t, "image", path+"/file", bytes.NewReader(content)).refusedByGlance(t, http.StatusConflict)

	decoded, err := images.Get(t.Context(), c.client(t, c.Member, "image"), id).Extract()
	if err != nil || decoded.Checksum != md5sum || decoded.CreatedAt.IsZero() || decoded.MinDiskGigabytes != 1 {
		t.Errorf("gophercloud reads the image as %+v, %v", decoded, err)
	}
	c.member.delete(t, "image", path).want(t, http.StatusNoContent)
	c.member.get(t, "image", path).refusedByGlance(t, http.StatusNotFound)
	c.member.delete(t, "image", path).refusedByGlance(t, http.StatusNotFound)
}

func testImageRange(t *testing.T, c *cloud) {
	content := noise(100_000)
	path := "/images/" + c.upload(t, "range", content)
	for _, one := range []struct {
		header string
		want   []byte
		shown  string
	}{
		{"bytes=10-19", content[10:20], "bytes 10-19/100000"},
		{"bytes=99990-", content[99_990:], "bytes 99990-99999/100000"},
	} {
		a := c.member.with("Range", one.header).get(t, "image", path+"/file").want(t, http.StatusPartialContent)
		if !bytes.Equal(a.body, one.want) {
			t.Errorf("%s gives %d bytes, and not those", one.header, len(a.body))
		}
		a.equalsHeader(t, "Content-Range", one.shown)
	}
	c.member.with("Range", "bytes=100000-").get(t, "image", path+"/file").want(t, http.StatusRequestedRangeNotSatisfiable)
}

func testImageProperties(t *testing.T, c *cloud) {
	path := "/images/" + c.upload(t, "properties", noise(1000))
	patch := c.member.with("Content-Type", "application/openstack-images-v2.1-json-patch")
	a := patch.call(t, http.MethodPatch, "image", path, []object{
		{"op": "replace", "path": "/name", "value": c.name("renamed")},
		{"op": "add", "path": "/flavour", "value": "sweet"},
	}).want(t, http.StatusOK)
	a.equals(t, c.name("renamed"), "name")
	a.equals(t, "sweet", "flavour")
	a = patch.call(t, http.MethodPatch, "image", path, []object{{"op": "remove", "path": "/flavour"}}).want(t, http.StatusOK)
	a.equals(t, nil, "flavour")
	c.member.put(t, "image", path+"/tags/red", nil).want(t, http.StatusNoContent)
	c.member.get(t, "image", path).want(t, http.StatusOK).equals(t, "red", "tags", 0)
	list := c.member.get(t, "image", "/images?name="+c.name("renamed")+"&status=active&tag=red").want(t, http.StatusOK)
	if got := ids(list.list("images")); !slices.Equal(got, []string{path[len("/images/"):]}) {
		t.Errorf("the list by name, status and tag gives %q", got)
	}
	protect := []object{{"op": "replace", "path": "/protected", "value": true}}
	patch.call(t, http.MethodPatch, "image", path, protect).want(t, http.StatusOK)
	c.member.delete(t, "image", path).refusedByGlance(t, http.StatusForbidden)
	protect[0]["value"] = false
	patch.call(t, http.MethodPatch, "image", path, protect).want(t, http.StatusOK)
}

func testImageIsolation(t *testing.T, c *cloud) {
	id := c.upload(t, "private", noise(1000))
	path := "/images/" + id
	c.other.get(t, "image", path).refusedByGlance(t, http.StatusNotFound)
	c.other.get(t, "image", path+"/file").refusedByGlance(t, http.StatusNotFound)
	c.other.delete(t, "image", path).refusedByGlance(t, http.StatusNotFound)
	list := c.other.get(t, "image", "/images").want(t, http.StatusOK)
	if slices.Contains(ids(list.list("images")), id) {
		t.Error("another project's list shows a private image")
	}
}

func testImageRefused(t *testing.T, c *cloud) {
	c.member.post(t, "image", "/images", object{"name": c.name("x"), "visibility": "public"}).refusedByGlance(t, http.StatusForbidden)
	c.member.post(t, "image", "/images", object{"name": c.name("x"), "disk_format": "floppy"}).refusedByGlance(t, http.StatusBadRequest)
	c.member.post(t, "image", "/images", object{"name": c.name("x"), "number": 1}).refusedByGlance(t, http.StatusBadRequest)
	c.member.get(t, "image", "/images/nonsense").refusedByGlance(t, http.StatusNotFound)
	nobody := &session{cloud: c, name: "nobody", endpoints: c.member.endpoints}
	nobody.get(t, "image", "/images").want(t, http.StatusUnauthorized)
}
