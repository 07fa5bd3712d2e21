package cinder_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// bench is a cloud with the clients of the user demo.
type bench struct {
	*testcloudtest.Cloud
	cinder, glance *gophercloud.ServiceClient
}

func start(t *testing.T) bench {
	t.Helper()
	c := testcloudtest.Start(t)
	return bench{c, c.Volumes(t, "demo"), c.Images(t, "demo")}
}

// volume makes a volume and waits until it is available.
func (b bench) volume(t *testing.T, opts volumes.CreateOpts) *volumes.Volume {
	t.Helper()
	v, err := volumes.Create(t.Context(), b.cinder, opts, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return b.await(t, v.ID, "available")
}

func (b bench) show(t *testing.T, id string) *volumes.Volume {
	t.Helper()
	v, err := volumes.Get(t.Context(), b.cinder, id).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b bench) await(t *testing.T, id, status string) *volumes.Volume {
	t.Helper()
	var v *volumes.Volume
	testcloudtest.Await(t, "volume "+status, func() bool {
		v = b.show(t, id)
		return v.Status == status
	})
	return v
}

// image uploads bytes as an image.
func (b bench) image(t *testing.T, data []byte) string {
	t.Helper()
	i, err := images.Create(t.Context(), b.glance, images.CreateOpts{Name: "source", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := imagedata.Upload(t.Context(), b.glance, i.ID, bytes.NewReader(data)).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	return i.ID
}

// start reads the first n bytes of a volume the way a user can: as an image.
func (b bench) start(t *testing.T, id string, n int) string {
	t.Helper()
	up, err := volumes.UploadImage(t.Context(), b.cinder, id, volumes.UploadImageOpts{ImageName: "look", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	testcloudtest.Await(t, "image active", func() bool {
		i, err := images.Get(t.Context(), b.glance, up.ImageID).Extract()
		return err == nil && i.Status == images.ImageStatusActive && i.SizeBytes == 1<<30
	})
	b.await(t, id, "available")
	return b.download(t, up.ImageID, n)
}

// stored reads the first n bytes of a volume from its file: without the
// checksums of an image, which take seconds.
func (b bench) stored(t *testing.T, id string, n int) string {
	t.Helper()
	f, err := os.Open(filepath.Join(b.Options.Dir, "blobs", "volumes", id))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got := make([]byte, n)
	if _, err := io.ReadFull(f, got); err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// seeded gives the id of the image cirros.
func (b bench) seeded(t *testing.T) string {
	t.Helper()
	pages, err := images.List(b.glance, images.ListOpts{Name: "cirros"}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := images.ExtractImages(pages)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0].ID
}

// download reads the first n bytes of an image.
func (b bench) download(t *testing.T, id string, n int) string {
	t.Helper()
	body, err := imagedata.Download(t.Context(), b.glance, id).Extract()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, n)
	_, err = io.ReadFull(body, got)
	if closer, ok := body.(io.Closer); ok {
		_ = closer.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func (b bench) snapshot(t *testing.T, volume string) string {
	t.Helper()
	s, err := snapshots.Create(t.Context(), b.cinder, snapshots.CreateOpts{VolumeID: volume, Name: "s"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	testcloudtest.Await(t, "snapshot available", func() bool {
		s, err := snapshots.Get(t.Context(), b.cinder, s.ID).Extract()
		return err == nil && s.Status == "available"
	})
	return s.ID
}

func (b bench) backup(t *testing.T, opts backups.CreateOpts) *backups.Backup {
	t.Helper()
	made, err := backups.Create(t.Context(), b.cinder, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	testcloudtest.Await(t, "backup available", func() bool {
		made, err = backups.Get(t.Context(), b.cinder, made.ID).Extract()
		return err == nil && made.Status == "available"
	})
	return made
}

// do sends a raw request of demo below its project.
func (b bench) do(t *testing.T, method, path, body string) testcloudtest.Answer {
	t.Helper()
	return b.Do(t, b.cinder.TokenID, method, "/volume/v3/"+b.Projects().Demo+path, strings.NewReader(body), "OpenStack-API-Version", "volume 3.59")
}

// refused checks that a raw request is refused with a status and words.
func (b bench) refused(t *testing.T, method, path, body string, status int, words string) {
	t.Helper()
	if a := b.do(t, method, path, body); a.Status != status || !strings.Contains(string(a.Body), words) {
		t.Errorf("%s %s %s: %d %s", method, path, body, a.Status, a.Body)
	}
}

func TestBytesSurviveEveryWayBetweenVolumes(t *testing.T) {
	b := start(t)
	image := b.seeded(t)
	data := b.download(t, image, 64)
	v := b.volume(t, volumes.CreateOpts{Size: 1, Name: "source", ImageID: image})
	if v.Bootable != "true" || v.VolumeImageMetadata["image_id"] != image {
		t.Errorf("%+v", v)
	}
	snapshot := b.snapshot(t, v.ID)
	backup := b.backup(t, backups.CreateOpts{VolumeID: v.ID, Name: "b"})
	b.await(t, v.ID, "available")
	restored, err := backups.RestoreFromBackup(t.Context(), b.cinder, backup.ID, backups.RestoreOpts{Name: "restored"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	empty := b.volume(t, volumes.CreateOpts{Size: 1})
	testcloudtest.Await(t, "backup available", func() bool {
		got, err := backups.Get(t.Context(), b.cinder, backup.ID).Extract()
		return err == nil && got.Status == "available"
	})
	if got := b.start(t, empty.ID, len(data)); got != string(make([]byte, len(data))) {
		t.Errorf("a new volume begins with %q", got)
	}
	if _, err := backups.RestoreFromBackup(t.Context(), b.cinder, backup.ID, backups.RestoreOpts{VolumeID: empty.ID}).Extract(); err != nil {
		t.Fatal(err)
	}
	for way, id := range map[string]string{
		"image":                v.ID,
		"snapshot":             b.volume(t, volumes.CreateOpts{SnapshotID: snapshot}).ID,
		"clone":                b.volume(t, volumes.CreateOpts{SourceVolID: v.ID}).ID,
		"restore":              b.await(t, restored.VolumeID, "available").ID,
		"restore into another": b.await(t, empty.ID, "available").ID,
	} {
		if got := b.start(t, id, len(data)); got != data {
			t.Errorf("%s: the volume begins with %q", way, got)
		}
	}
}

func TestVolumeInUseIsProtected(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1})
	a := b.do(t, "POST", "/attachments", `{"attachment":{"volume_uuid":"`+v.ID+`","instance_uuid":"11111111-2222-3333-4444-555555555555"}}`)
	var made struct{ Attachment struct{ ID, Status string } }
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != 200 || made.Attachment.Status != "reserved" {
		t.Fatal(a.Status, string(a.Body), err)
	}
	path := "/attachments/" + made.Attachment.ID
	b.await(t, v.ID, "reserved")
	if a := b.do(t, "PUT", path, `{"attachment":{"connector":{"host":"h","mountpoint":"/dev/vdb"}}}`); a.Status != 200 {
		t.Error(a.Status, string(a.Body))
	}
	if a := b.do(t, "POST", path+"/action", `{"os-complete":{}}`); a.Status != 204 {
		t.Error(a.Status, string(a.Body))
	}
	got := b.await(t, v.ID, "in-use")
	if len(got.Attachments) != 1 || got.Attachments[0].Device != "/dev/vdb" || got.Attachments[0].ServerID != "11111111-2222-3333-4444-555555555555" {
		t.Errorf("%+v", got.Attachments)
	}
	b.refused(t, "DELETE", "/volumes/"+v.ID, "", 400, "Invalid volume: Volume status must be available or error")
	b.refused(t, "POST", "/volumes/"+v.ID+"/action", `{"os-volume_upload_image":{"image_name":"x","force":false}}`, 400, "status must be available")
	b.refused(t, "POST", "/snapshots", `{"snapshot":{"volume_id":"`+v.ID+`"}}`, 400, "status must be available, but current status is: in-use")
	b.refused(t, "POST", "/backups", `{"backup":{"volume_id":"`+v.ID+`"}}`, 400, "must be available")
	b.refused(t, "POST", "/volumes/"+v.ID+"/action", `{"os-force_detach":{}}`, 403, "Policy doesn't allow")
	b.backup(t, backups.CreateOpts{VolumeID: v.ID, Force: true})
	b.await(t, v.ID, "in-use")
	if a := b.do(t, "DELETE", path, ""); a.Status != 200 || string(a.Body) != `{"attachments":[]}` {
		t.Error(a.Status, string(a.Body))
	}
	b.await(t, v.ID, "available")
}

func TestWhatOthersDependOnStays(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1})
	snapshot := b.snapshot(t, v.ID)
	b.refused(t, "DELETE", "/volumes/"+v.ID, "", 400, "have snapshots")
	full := b.backup(t, backups.CreateOpts{VolumeID: v.ID})
	child := b.backup(t, backups.CreateOpts{VolumeID: v.ID, Incremental: true})
	if !child.IsIncremental {
		t.Errorf("%+v", child)
	}
	b.refused(t, "DELETE", "/backups/"+full.ID, "", 400, "Incremental backups exist")
	for _, path := range []string{"/backups/" + child.ID, "/snapshots/" + snapshot} {
		if a := b.do(t, "DELETE", path, ""); a.Status != 202 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		testcloudtest.Await(t, path+" gone", func() bool { return b.do(t, "GET", path, "").Status == 404 })
	}
	for _, path := range []string{"/backups/" + full.ID, "/volumes/" + v.ID} {
		if a := b.do(t, "DELETE", path, ""); a.Status != 202 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		testcloudtest.Await(t, path+" gone", func() bool { return b.do(t, "GET", path, "").Status == 404 })
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 2})
	snapshot := b.snapshot(t, v.ID)
	none := "11111111-2222-3333-4444-555555555555"
	for _, c := range []struct {
		path, body string
		status     int
		words      string
	}{
		{"/volumes", `{"volume":{"size":0}}`, 400, "less than the minimum of 1"},
		{"/volumes", `{"volume":{}}`, 400, "could not comply"},
		{"/volumes", `{"volume":`, 400, "Malformed"},
		{"/volumes", `{"volume":{"snapshot_id":"odd"}}`, 400, "not valid under any of the given schemas"},
		{"/volumes", `{"volume":{"snapshot_id":"` + none + `"}}`, 404, "Snapshot " + none + " could not be found."},
		{"/volumes", `{"volume":{"size":1,"imageRef":"` + none + `"}}`, 400, "Invalid image identifier"},
		{"/volumes", `{"volume":{"size":1,"snapshot_id":"` + snapshot + `"}}`, 400, "cannot be smaller than the snapshot size 2GB"},
		{"/volumes", `{"volume":{"size":1,"volume_type":"odd"}}`, 404, "Volume type with name odd"},
		{"/volumes", `{"volume":{"size":1,"availability_zone":"odd"}}`, 400, "is invalid"},
		{"/volumes/" + v.ID + "/action", `{"os-odd":{}}`, 400, "There is no such action: os-odd"},
		{"/volumes/" + v.ID + "/action", `{"os-extend":{"new_size":2}}`, 400, "must be greater than current size"},
		{"/volumes/" + v.ID + "/action", `{"os-reset_status":{"status":"error"}}`, 403, "Policy doesn't allow"},
		{"/volumes/" + none + "/action", `{"os-extend":{"new_size":2}}`, 404, "could not be found"},
		{"/backups", `{"backup":{"volume_id":"` + v.ID + `","incremental":true}}`, 400, "No backups available"},
	} {
		b.refused(t, "POST", c.path, c.body, c.status, c.words)
	}
	if a := b.Do(t, b.cinder.TokenID, "GET", "/volume/v3/"+b.Projects().Other+"/volumes", nil); a.Status != 400 || !strings.Contains(string(a.Body), "Malformed request url") {
		t.Errorf("another project's URL: %d %s", a.Status, a.Body)
	}
}

func TestFailedStateChangesEndInErrorStates(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1})
	for _, name := range []string{"volume.create", "snapshot.create", "backup.create", "volume.upload"} {
		if _, err := b.Faults().Add(fabric.Fault{Service: "cinder", Transition: name, Fail: true, Times: 1}); err != nil {
			t.Fatal(err)
		}
	}
	bad, err := volumes.Create(t.Context(), b.cinder, volumes.CreateOpts{Size: 1}, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	b.await(t, bad.ID, "error")
	s, err := snapshots.Create(t.Context(), b.cinder, snapshots.CreateOpts{VolumeID: v.ID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	testcloudtest.Await(t, "snapshot in error", func() bool {
		s, err := snapshots.Get(t.Context(), b.cinder, s.ID).Extract()
		return err == nil && s.Status == "error"
	})
	made, err := backups.Create(t.Context(), b.cinder, backups.CreateOpts{VolumeID: v.ID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	testcloudtest.Await(t, "backup in error", func() bool {
		got, err := backups.Get(t.Context(), b.cinder, made.ID).Extract()
		return err == nil && got.Status == "error" && got.FailReason != ""
	})
	b.await(t, v.ID, "available")
	up, err := volumes.UploadImage(t.Context(), b.cinder, v.ID, volumes.UploadImageOpts{ImageName: "x", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	b.await(t, v.ID, "available")
	testcloudtest.Await(t, "image gone", func() bool {
		return gophercloud.ResponseCodeIs(images.Get(t.Context(), b.glance, up.ImageID).Err, http.StatusNotFound)
	})
}

func TestRevertAndReimageReplaceAVolumesBytes(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1, ImageID: b.image(t, []byte("first"))})
	snapshot := b.snapshot(t, v.ID)
	second := b.image(t, []byte("other"))
	for _, step := range [][2]string{{`{"os-reimage":{"image_id":"` + second + `"}}`, "other"}, {`{"revert":{"snapshot_id":"` + snapshot + `"}}`, "first"}} {
		a := b.Do(t, b.cinder.TokenID, "POST", "/volume/v3/"+b.Projects().Demo+"/volumes/"+v.ID+"/action", strings.NewReader(step[0]), "OpenStack-API-Version", "volume 3.70")
		if a.Status != 202 {
			t.Fatal(a.Status, string(a.Body))
		}
		b.await(t, v.ID, "available")
		if got := b.stored(t, v.ID, 5); got != step[1] {
			t.Errorf("after %s the volume begins with %q", step[0], got)
		}
	}
}
