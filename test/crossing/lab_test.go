//go:build openstack

package crossing

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

const (
	pace  = "500ms"
	pause = time.Second
	gib   = 1 << 30
)

// lab is the real OpenStack whose openrc files the environment names.
type lab struct{ t *testing.T }

// URL implements place.
func (l lab) URL() string { return testcloudtest.OpenRC(l.t, "openrc-admin")["OS_AUTH_URL"] }

// User implements place.
func (l lab) User(name string) (testcloud.User, bool) {
	file, ok := map[string]string{"demo": "openrc-gamma", "other": "openrc-beta", "admin": "openrc-admin", "karbor": "openrc-karbor"}[name]
	if !ok {
		return testcloud.User{}, false
	}
	env := testcloudtest.OpenRC(l.t, file)
	return testcloud.User{Name: env["OS_USERNAME"], Password: env["OS_PASSWORD"], ProjectName: env["OS_PROJECT_NAME"]}, true
}

// TestOpenStackServerGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack shares nothing
// but the bank's folder between the two services.
//
//karbor:tries other-project,other-cloud of server,volumeglance,image,network
func TestOpenStackServerGoesIntoAnotherProjectAndIntoTheSimulatedCloudAndBack(t *testing.T) {
	here, there := lab{t}, testcloudtest.Start(t)
	folder := t.TempDir()
	targets := func(c *config.Config) {
		c.Operations.RestoreTargets, c.Operations.RestoreEndpoints = []string{here.URL(), there.URL()}, []string{"127.0.0.1"}
	}
	k := share(t, here, folder, targets)
	home, other, abroad := login(t, here, "demo"), login(t, here, "other"), login(t, there, "demo")
	empty := home.tidied()
	shop := home.shop(true)
	checkpoint := k.protect(home, karbor.ServerType, shop.server)

	clear := other.tidied()
	k.succeeds(home, checkpoint, other.into("their-"))
	other.whole(t, "their-", held(gib))
	clear()

	k.succeeds(home, checkpoint, abroad.into("far-"))
	far := share(t, there, folder, targets)
	back := far.protect(abroad, karbor.ServerType, abroad.whole(t, "far-", held(gib)))
	empty()

	far.succeeds(abroad, back, home.into("back-"))
	home.whole(t, "back-far-", held(gib))
}

func TestOpenStackProjectComesBackWholeAndOnlyThat(t *testing.T) { comesBackWhole(t, lab{t}, gib) }

func TestOpenStackProjectIsOutOfReachForAnother(t *testing.T) { outOfReach(t, lab{t}) }

// TestOpenStackVolumeIsRestoredInPlaceAndThatIsUndone writes other bytes into a volume, as its
// owner may: each volume keeps its id throughout.
//
//karbor:tries in-place,undo-in-place of volumeglance
func TestOpenStackVolumeIsRestoredInPlaceAndThatIsUndone(t *testing.T) {
	cloud := lab{t}
	k := serve(t, cloud, func(*config.Config) {})
	a := login(t, cloud, "demo")
	a.tidied()
	volume := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": "sold", "size": 1, "imageRef": a.upload("sold", bytesOfVolume)})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	first := a.sum(volume)
	checkpoint := k.protect(a, karbor.VolumeType, volume)

	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	a.do(reimaging, "POST", "volumes/"+volume+"/action", map[string]any{"os-reimage": map[string]any{"image_id": a.upload("sold later", "what was sold later")}})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	later := a.sum(volume)
	if later == first {
		t.Fatal("the volume has no other bytes")
	}

	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	done := k.succeeds(a, checkpoint, map[string]any{"in_place": true})
	if got := a.sum(volume); got != first {
		t.Errorf("restored in place, the volume's digest is %s, want %s", got, first)
	}
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	safety, _ := done.member(t, "restore", "safety_checkpoint_id").(string)
	k.succeeds(a, safety, map[string]any{"in_place": true})
	if got := a.sum(volume); got != later {
		t.Errorf("with the restore undone, the volume's digest is %s, want %s", got, later)
	}
}

//karbor:tries in-place,undo-in-place,verify of volumeglance
func TestOpenStackVolumeIsRestoredInPlaceUnderItsServerAndThatIsUndone(t *testing.T) {
	underItsServer(t, lab{t}, gib)
}

// TestOpenStackEncryptedVolumeGoesIntoTheSimulatedCloudAndIntoAnotherProjectWithItsKey has real ciphertext (LUKS) and
// keys in a real key manager.
//
//karbor:tries other-project,other-cloud of volumeglance
func TestOpenStackEncryptedVolumeGoesIntoTheSimulatedCloudAndIntoAnotherProjectWithItsKey(t *testing.T) {
	goesWithItsKey(t, lab{t}, testcloudtest.Start(t))
}
