package cinder_test

import (
	"bytes"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// A test that moves whole volumes may give their GiB few bytes. All that counts GiB counts these then.
func TestVolumesCanHaveFewBytesForEachGiB(t *testing.T) {
	const gib = 1 << 20
	c := testcloudtest.Start(t, func(o *testcloud.Options) { o.VolumeGiB = gib })
	b := bench{c, c.Volumes(t, "demo"), c.Images(t, "demo")}
	upload := func(volume string) int64 {
		t.Helper()
		made, err := volumes.UploadImage(t.Context(), b.cinder, volume, volumes.UploadImageOpts{ImageName: "look", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
		if err != nil {
			t.Fatal(err)
		}
		b.await(t, volume, "available")
		i, err := images.Get(t.Context(), b.glance, made.ImageID).Extract()
		if err != nil {
			t.Fatal(err)
		}
		return i.SizeBytes
	}
	source := b.image(t, bytes.Repeat([]byte("x"), gib+1))
	b.refused(t, "POST", "/volumes", `{"volume":{"size":1,"imageRef":"`+source+`"}}`, 400, "Size of specified image 2GB is larger than volume size 1GB")
	v := b.volume(t, volumes.CreateOpts{Size: 2, ImageID: source})
	if size := upload(v.ID); v.Size != 2 || size != 2*gib {
		t.Errorf("a volume of %d GiB has %d bytes", v.Size, size)
	}
	if err := volumes.ExtendSize(t.Context(), b.cinder, v.ID, volumes.ExtendSizeOpts{NewSize: 3}).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	b.await(t, v.ID, "available")
	if size := upload(v.ID); size != 3*gib {
		t.Errorf("a volume of 3 GiB has %d bytes", size)
	}
	restored := b.volume(t, volumes.CreateOpts{Size: 3, SnapshotID: b.snapshot(t, v.ID)})
	if size := upload(restored.ID); size != 3*gib {
		t.Errorf("a volume of a snapshot of 3 GiB has %d bytes", size)
	}
}
