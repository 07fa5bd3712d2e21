package contract

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
)

// cinderTime is how Cinder writes a time: no zone.
const cinderTime = "2006-01-02T15:04:05.000000"

// The states on the way of a volume.
var (
	volumeStatus = []any{"volume", "status"}
	volumeMaking = []string{"creating", "downloading"}
)

func testVolume(t *testing.T, c *cloud) {
	t.Run("life", func(t *testing.T) { testVolumeLife(t, c) })
	t.Run("metadata and filters", func(t *testing.T) { testVolumeMetadata(t, c) })
	t.Run("image and back", func(t *testing.T) { testVolumeBytes(t, c) })
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t, c) })
	t.Run("backup", func(t *testing.T) { testBackup(t, c) })
	t.Run("backup of a snapshot", func(t *testing.T) { testSnapshotBackup(t, c) })
	t.Run("read-only", func(t *testing.T) { testVolumeReadOnly(t, c) })
	t.Run("refused", func(t *testing.T) { testVolumeRefused(t, c) })
	t.Run("reader", func(t *testing.T) { testVolumeReader(t, c) })
}

// volume makes a volume of 1 GiB with these members, waits until it is
// available, and removes it at the end.
func (c *cloud) volume(t *testing.T, name string, members object) string {
	t.Helper()
	want := object{"size": 1, "name": c.name(name)}
	maps.Copy(want, members)
	a := c.member.post(t, "volumev3", "/volumes", object{"volume": want}).want(t, http.StatusAccepted)
	id := a.text("volume", "id")
	c.member.forget(t, "volumev3", "/volumes/"+id)
	if got := a.text("volume", "status"); got != "creating" {
		t.Errorf("a new volume is %q, want creating", got)
	}
	c.member.until(t, "volumev3", "/volumes/"+id, volumeStatus, "available", volumeMaking...)
	return id
}

func testVolumeLife(t *testing.T, c *cloud) {
	id := c.volume(t, "volume", object{"description": "plain", "metadata": object{"a": "1"}})
	path := "/volumes/" + id
	a := c.member.get(t, "volumev3", path).want(t, http.StatusOK)
	a.equals(t, float64(1), "volume", "size")
	a.equals(t, "plain", "volume", "description")
	a.equals(t, "false", "volume", "bootable")
	a.equals(t, false, "volume", "encrypted")
	a.equals(t, "1", "volume", "metadata", "a")
	a.equals(t, c.member.projectID, "volume", "os-vol-tenant-attr:tenant_id")
	a.dated(t, cinderTime, "volume", "created_at")
	a.has(t, []any{"volume"}, "attachments", "availability_zone", "links", "multiattach", "snapshot_id", "source_volid",
		"updated_at", "user_id", "volume_type", "consistencygroup_id", "replication_status")
	decoded, err := volumes.Get(t.Context(), c.client(t, c.Member, "volume"), id).Extract()
	if err != nil || decoded.CreatedAt.IsZero() || decoded.Size != 1 || decoded.Metadata["a"] != "1" {
		t.Errorf("gophercloud reads the volume as %+v, %v", decoded, err)
	}
	c.member.put(t, "volumev3", path, object{"volume": object{"name": c.name("renamed")}}).want(t, http.StatusOK).
		equals(t, c.name("renamed"), "volume", "name")
	for _, s := range []*session{c.other} {
		s.get(t, "volumev3", path).refused(t, http.StatusNotFound, "itemNotFound")
		s.delete(t, "volumev3", path).refused(t, http.StatusNotFound, "itemNotFound")
		s.put(t, "volumev3", path, object{"volume": object{"name": "stolen"}}).refused(t, http.StatusNotFound, "itemNotFound")
		if slices.Contains(ids(s.get(t, "volumev3", "/volumes").want(t, http.StatusOK).list("volumes")), id) {
			t.Error("another project's list shows the volume")
		}
	}
	c.member.delete(t, "volumev3", path).want(t, http.StatusAccepted)
	c.member.untilGone(t, "volumev3", path, volumeStatus, "deleting")
}

func testVolumeMetadata(t *testing.T, c *cloud) {
	first := c.volume(t, "filter-1", object{"metadata": object{"colour": "red"}})
	second := c.volume(t, "filter-2", nil)
	path := "/volumes/" + second + "/metadata"
	a := c.member.post(t, "volumev3", path, object{"metadata": object{"colour": "blue", "shape": "round"}}).want(t, http.StatusOK)
	a.equals(t, "blue", "metadata", "colour")
	a = c.member.put(t, "volumev3", path, object{"metadata": object{"colour": "green"}}).want(t, http.StatusOK)
	a.equals(t, nil, "metadata", "shape")
	c.member.delete(t, "volumev3", path+"/colour").want(t, http.StatusOK)
	c.member.get(t, "volumev3", path).want(t, http.StatusOK).equals(t, nil, "metadata", "colour")
	for _, one := range []struct {
		query string
		want  []string
	}{
		{"name=" + c.name("filter-2"), []string{second}},
		{"name=" + c.name("filter-0"), nil},
		{"metadata=" + url.QueryEscape(`{"colour":"red"}`), []string{first}},
		{"name=" + c.name("filter-1") + "&status=available", []string{first}},
		{"name=" + c.name("filter-1") + "&status=error", nil},
	} {
		a := c.member.get(t, "volumev3", "/volumes/detail?"+one.query).want(t, http.StatusOK)
		if got := ids(a.list("volumes")); !slices.Equal(got, one.want) {
			t.Errorf("the list by %s gives %q, want %q", one.query, got, one.want)
		}
	}
	page := c.member.get(t, "volumev3", "/volumes?limit=1&sort=created_at:asc").want(t, http.StatusOK)
	if len(page.list("volumes")) != 1 {
		t.Errorf("a page of 1 has %d volumes", len(page.list("volumes")))
	}
	page.equals(t, "next", "volumes_links", 0, "rel")
}

func testVolumeBytes(t *testing.T, c *cloud) {
	content := noise(3 << 20)
	image := c.upload(t, "bootable", content)
	id := c.volume(t, "from-image", object{"imageRef": image})
	a := c.member.get(t, "volumev3", "/volumes/"+id).want(t, http.StatusOK)
	a.equals(t, "true", "volume", "bootable")
	a.equals(t, image, "volume", "volume_image_metadata", "image_id")
	c.startsWith(t, c.uploadVolume(t, id, false), content, gib)
}

// uploadVolume makes an image of a volume and waits for it. It goes with the
// test.
func (c *cloud) uploadVolume(t *testing.T, id string, force bool) string {
	t.Helper()
	path := "/volumes/" + id
	before := c.member.get(t, "volumev3", path).want(t, http.StatusOK).text(volumeStatus...)
	a := c.member.post(t, "volumev3", path+"/action", object{"os-volume_upload_image": object{
		"image_name": c.name("upload"), "disk_format": "raw", "container_format": "bare", "force": force,
	}}).want(t, http.StatusAccepted)
	image := a.text("os-volume_upload_image", "image_id")
	a.equals(t, "uploading", "os-volume_upload_image", "status")
	c.member.forget(t, "image", "/images/"+image)
	c.member.until(t, "image", "/images/"+image, []any{"status"}, "active", "queued", "saving")
	c.member.until(t, "volumev3", path, volumeStatus, before, "uploading")
	return image
}

func testSnapshot(t *testing.T, c *cloud) {
	content := noise(1 << 20)
	volume := c.volume(t, "origin", object{"imageRef": c.upload(t, "origin", content)})
	a := c.member.post(t, "volumev3", "/snapshots", object{"snapshot": object{
		"volume_id": volume, "name": c.name("snapshot"), "metadata": object{"b": "2"},
	}}).want(t, http.StatusAccepted)
	id := a.text("snapshot", "id")
	path := "/snapshots/" + id
	c.member.forget(t, "volumev3", path)
	a.equals(t, "creating", "snapshot", "status")
	a = c.member.until(t, "volumev3", path, []any{"snapshot", "status"}, "available", "creating")
	a.equals(t, volume, "snapshot", "volume_id")
	a.equals(t, float64(1), "snapshot", "size")
	a.equals(t, "2", "snapshot", "metadata", "b")
	a.dated(t, cinderTime, "snapshot", "created_at")
	decoded, err := snapshots.Get(t.Context(), c.client(t, c.Member, "volume"), id).Extract()
	if err != nil || decoded.VolumeID != volume || decoded.CreatedAt.IsZero() {
		t.Errorf("gophercloud reads the snapshot as %+v, %v", decoded, err)
	}
	c.other.get(t, "volumev3", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.delete(t, "volumev3", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.member.delete(t, "volumev3", "/volumes/"+volume).refused(t, http.StatusBadRequest, "badRequest")
	list := c.member.get(t, "volumev3", "/snapshots?volume_id="+volume).want(t, http.StatusOK)
	if got := ids(list.list("snapshots")); !slices.Equal(got, []string{id}) {
		t.Errorf("the snapshots of the volume are %q, want %q", got, id)
	}
	copied := c.volume(t, "from-snapshot", object{"snapshot_id": id})
	c.member.get(t, "volumev3", "/volumes/"+copied).want(t, http.StatusOK).equals(t, id, "volume", "snapshot_id")
	c.beginsWith(t, c.uploadVolume(t, copied, false), content, gib)
	c.member.delete(t, "volumev3", path).want(t, http.StatusAccepted)
	c.member.untilGone(t, "volumev3", path, []any{"snapshot", "status"}, "deleting")
}

func testBackup(t *testing.T, c *cloud) {
	content := noise(1 << 20)
	volume := c.volume(t, "backed-up", object{"imageRef": c.upload(t, "backed-up", content)})
	a := c.member.anew().post(t, "volumev3", "/backups", object{"backup": object{"volume_id": volume, "name": c.name("backup")}}).
		want(t, http.StatusAccepted)
	id := a.text("backup", "id")
	path := "/backups/" + id
	c.member.forget(t, "volumev3", path)
	a = c.member.until(t, "volumev3", path, []any{"backup", "status"}, "available", "creating")
	c.member.until(t, "volumev3", "/volumes/"+volume, volumeStatus, "available", "backing-up")
	a.equals(t, volume, "backup", "volume_id")
	a.equals(t, float64(1), "backup", "size")
	a.equals(t, false, "backup", "is_incremental")
	a.equals(t, false, "backup", "has_dependent_backups")
	a.equals(t, nil, "backup", "fail_reason")
	a.dated(t, cinderTime, "backup", "data_timestamp")
	decoded, err := backups.Get(t.Context(), c.client(t, c.Member, "volume"), id).Extract()
	if err != nil || decoded.VolumeID != volume || decoded.CreatedAt.IsZero() {
		t.Errorf("gophercloud reads the backup as %+v, %v", decoded, err)
	}
	c.other.get(t, "volumev3", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.post(t, "volumev3", path+"/restore", object{"restore": object{}}).refused(t, http.StatusNotFound, "itemNotFound")
	a = c.member.anew().post(t, "volumev3", path+"/restore", object{"restore": object{"name": c.name("restored")}}).want(t, http.StatusAccepted)
	a.equals(t, id, "restore", "backup_id")
	restored := a.text("restore", "volume_id")
	c.member.forget(t, "volumev3", "/volumes/"+restored)
	c.member.until(t, "volumev3", "/volumes/"+restored, volumeStatus, "available", "creating", "restoring-backup")
	c.member.until(t, "volumev3", path, []any{"backup", "status"}, "available", "restoring")
	c.beginsWith(t, c.uploadVolume(t, restored, false), content, gib)
	c.member.delete(t, "volumev3", path).want(t, http.StatusAccepted)
	c.member.untilGone(t, "volumev3", path, []any{"backup", "status"}, "deleting")
}

func testVolumeReadOnly(t *testing.T, c *cloud) {
	a := c.member.post(t, "volumev3", "/volumes", object{"volume": object{"size": 1, "name": c.name("read-only")}}).want(t, http.StatusAccepted)
	path := "/volumes/" + a.text("volume", "id")
	c.member.forget(t, "volumev3", path)
	c.member.until(t, "volumev3", path, volumeStatus, "available", volumeMaking...)
	c.member.post(t, "volumev3", path+"/action", object{"os-update_readonly_flag": object{"readonly": true}}).want(t, http.StatusAccepted)
	c.member.get(t, "volumev3", path).want(t, http.StatusOK).equals(t, "True", "volume", "metadata", "readonly")
}

func testVolumeRefused(t *testing.T, c *cloud) {
	missing := "00000000-0000-4000-8000-000000000000"
	for _, one := range []struct {
		volume object
		status int
		word   string
	}{
		{object{"size": 0}, http.StatusBadRequest, "badRequest"},
		{object{"size": 1, "snapshot_id": missing}, http.StatusNotFound, "itemNotFound"},
		{object{"size": 1, "imageRef": missing}, http.StatusBadRequest, "badRequest"},
		{object{"size": 1, "volume_type": c.name("no-type")}, http.StatusNotFound, "itemNotFound"},
		{object{"size": 10_000_000}, http.StatusRequestEntityTooLarge, "overLimit"},
	} {
		c.member.post(t, "volumev3", "/volumes", object{"volume": one.volume}).refused(t, one.status, one.word)
	}
	for _, kind := range []string{"volumes", "snapshots", "backups"} {
		c.member.get(t, "volumev3", "/"+kind+"/"+missing).refused(t, http.StatusNotFound, "itemNotFound")
		c.member.delete(t, "volumev3", "/"+kind+"/"+missing).refused(t, http.StatusNotFound, "itemNotFound")
	}
	c.member.post(t, "volumev3", "/snapshots", object{"snapshot": object{"volume_id": missing}}).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.get(t, "volumev3", "/os-quota-sets/"+c.member.projectID).refused(t, http.StatusForbidden, "forbidden")
	c.member.get(t, "volumev3", "/limits").want(t, http.StatusOK).has(t, []any{"limits", "absolute"},
		"maxTotalVolumes", "maxTotalVolumeGigabytes", "totalVolumesUsed", "totalGigabytesUsed")
	c.member.cinder("3.999").get(t, "volumev3", "/volumes").want(t, http.StatusNotAcceptable)
}

// testVolumeReader looks at what a reader may do. The roles of Zed's services
// say nothing yet of readers, those of later ones do.
func testVolumeReader(t *testing.T, c *cloud) {
	if c.reader == nil {
		t.Skip("the target has no reader")
	}
	c.reader.get(t, "volumev3", "/volumes").want(t, http.StatusOK)
	a := c.reader.post(t, "volumev3", "/volumes", object{"volume": object{"size": 1, "name": c.name("reader")}})
	if c.Difference("reader-may-not-write") {
		a.refused(t, http.StatusForbidden, "forbidden")
		return
	}
	a.want(t, http.StatusAccepted, http.StatusForbidden)
	if a.status == http.StatusAccepted {
		path := "/volumes/" + a.text("volume", "id")
		c.member.forget(t, "volumev3", path)
		c.member.until(t, "volumev3", path, volumeStatus, "available", volumeMaking...)
	}
}
