package cloudtest

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/karbor/karbor"
)

// World is a cloud with two tenants, each with resources of every kind, and an
// administrator in a third project. The fields hold ids.
type World struct {
	*Cloud
	Alpha, Beta, Admin karbor.Cloud

	// Alpha's images: one that servers boot from, one spare, one without data.
	Disk, Spare, Queued string
	// Alpha's volumes: two attached to Web, one that DB boots from, one that
	// nothing uses, one in error.
	Data1, Data2, Boot, Lonely, Broken string
	// Alpha's networks.
	Front, Back string
	// Alpha's servers. Web boots from Disk, has Data1 and Data2, and is twice on
	// Front and once on Back. DB boots from Boot and is on Front. Orphan boots from an image that
	// is gone since (Gone). Failed is in error.
	Web, DB, Orphan, Failed, Gone string

	// Beta has one of each.
	BetaImage, BetaVolume, BetaNetwork, BetaServer string
}

// NewWorld starts a cloud and fills it. It ends with the test.
func NewWorld(t testing.TB) *World {
	t.Helper()
	c := Start(t)
	w := &World{
		Cloud: c, Alpha: c.Tenant("alpha", "member", "reader"),
		Beta: c.Tenant("beta", "member", "reader"), Admin: c.Tenant("gamma", "admin"),
	}
	w.fill(t)
	return w
}

// fill makes the resources of all three projects.
func (w *World) fill(t testing.TB) {
	t.Helper()
	data := make([]byte, 1<<20)
	w.Disk = Image(t, w.Alpha, "disk", data)
	w.Spare = Image(t, w.Alpha, "spare", data)
	w.Queued = Image(t, w.Alpha, "queued", nil)
	w.Gone = Image(t, w.Alpha, "gone", data)
	w.Data1 = Volume(t, w.Alpha, "data-1", "")
	w.Data2 = Volume(t, w.Alpha, "data-2", "")
	w.Boot = Volume(t, w.Alpha, "boot", w.Disk)
	w.Lonely = Volume(t, w.Alpha, "lonely", "")
	w.Broken = Volume(t, w.Alpha, "broken", "")
	SetVolumeStatus(t, w.Admin, w.Broken, "error")
	w.Front = Network(t, w.Alpha, "front")
	w.Back = Network(t, w.Alpha, "back")
	w.Web = Server(t, w.Alpha, ServerSpec{
		Name: "web", ImageID: w.Disk, Networks: []string{w.Front, w.Back, w.Front}, Volumes: []string{w.Data2, w.Data1},
	})
	w.DB = Server(t, w.Alpha, ServerSpec{Name: "db", BootVolume: w.Boot, Networks: []string{w.Front}})
	w.Orphan = Server(t, w.Alpha, ServerSpec{Name: "orphan", ImageID: w.Gone, Networks: []string{w.Back}})
	DeleteImage(t, w.Alpha, w.Gone)
	w.Failed = Server(t, w.Alpha, ServerSpec{Name: "failed", ImageID: w.Disk, Networks: []string{w.Front}})
	SetServerState(t, w.Admin, w.Failed, servers.StateError)

	w.BetaImage = Image(t, w.Beta, "beta-secret-image", data)
	w.BetaVolume = Volume(t, w.Beta, "beta-secret-volume", "")
	w.BetaNetwork = Network(t, w.Beta, "beta-secret-network")
	w.BetaServer = Server(t, w.Beta, ServerSpec{Name: "beta-secret-server", ImageID: w.BetaImage, Networks: []string{w.BetaNetwork}})
}
