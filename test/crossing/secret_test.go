package crossing

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

//karbor:tries other-cloud of volumeglance
func TestAnEncryptedVolumeGoesIntoAnotherCloudAndAnotherProjectWithItsKey(t *testing.T) {
	goesWithItsKey(t, testcloudtest.Start(t, small), testcloudtest.Start(t, small))
}

// goesWithItsKey protects an encrypted volume, which goes, and its key with it; restores it into another cloud; and
// protects it there, and restores it into another project of the first one. The two services share nothing but the
// bank and its key. Compared are the ciphertext and the key: whether one opens the other, only what has a LUKS can tell
// (the plug-in's own test, on a real cloud).
func goesWithItsKey(t *testing.T, here, there place) {
	folder := t.TempDir()
	if err := keyring.WriteKeyFile(filepath.Join(folder, keyFile)); err != nil {
		t.Fatal(err)
	}
	targets := func(c *config.Config) {
		c.Operations.RestoreTargets, c.Operations.RestoreEndpoints = []string{here.URL(), there.URL()}, []string{"127.0.0.1"}
	}
	k, far := share(t, here, folder, targets), share(t, there, folder, targets)
	home, other, abroad := login(t, here, "demo"), login(t, here, "other"), login(t, there, "demo")
	empty, emptyOther := home.tidied(), other.tidied()
	bare, bareOther, bareAbroad := home.secrets(), other.secrets(), abroad.secrets()

	want := home.locked(home.safe())
	checkpoint := k.protect(home, karbor.VolumeType, want.id)
	empty()
	if n := home.secrets(); n != bare {
		t.Errorf("%d secrets are left; want %d", n, bare)
	}
	if keeps(t, folder, want.key) {
		t.Error("the key of the volume lies open beside the bank's bytes")
	}

	k.succeeds(home, checkpoint, abroad.into("far-"))
	abroad.same(t, "far-safe", want, bareAbroad)
	back := far.protect(abroad, karbor.VolumeType, fmt.Sprint(abroad.one(openstack.BlockStorage, "volumes", "volumes", "far-safe")["id"]))

	far.succeeds(abroad, back, other.into("back-"))
	other.same(t, "back-far-safe", want, bareOther)
	emptyOther()
	if n := other.secrets(); n != bareOther {
		t.Errorf("%d secrets are left in the other project; want %d", n, bareOther)
	}
}

// keyFile is the name of the key of the bank in a folder.
const keyFile = "bank.key"

// keys is the part of a provider's file that names the key of the bank in a folder, if that has one.
func keys(folder string) string {
	path := filepath.Join(folder, keyFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return fmt.Sprintf("repository: {keys: [{file: %s}]}\n", path)
}

// safe makes an encrypted volume, and gives its id.
func (a *account) safe() string {
	a.t.Helper()
	image := a.upload("safe", "what is locked away ")
	id := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": "safe", "size": 1, "imageRef": image, "volume_type": "luks"})
	a.await(openstack.BlockStorage, "volumes/"+id, "volume", "available")
	a.do(openstack.Image, "DELETE", "images/"+image, nil)
	return id
}

// lock is an encrypted volume: the digest of its ciphertext, and its key.
type lock struct{ id, sum, key string }

// locked looks at one.
func (a *account) locked(volume string) lock {
	a.t.Helper()
	shown := a.do(openstack.BlockStorage, "GET", "volumes/"+volume+"/encryption", nil)
	key, _ := a.do(openstack.KeyManager, "GET", fmt.Sprintf("secrets/%v/payload", shown["encryption_key_id"]), nil)["text"].(string)
	if len(key) < 16 {
		a.t.Fatalf("volume %s has no key: %v", volume, shown)
	}
	return lock{volume, a.sum(volume), key}
}

// secrets counts those of the account's project.
func (a *account) secrets() int {
	a.t.Helper()
	total, _ := a.do(openstack.KeyManager, "GET", "secrets?limit=1", nil)["total"].(float64)
	return int(total)
}

// same makes sure that the volume of a name has the ciphertext and the key that one had, and that its key is the only
// secret that has come.
func (a *account) same(t *testing.T, name string, want lock, bare int) {
	t.Helper()
	volume := a.one(openstack.BlockStorage, "volumes/detail", "volumes", name)
	if volume["encrypted"] != true {
		t.Errorf("volume %s is not encrypted", name)
	}
	got := a.locked(fmt.Sprint(volume["id"]))
	if got.key != want.key {
		t.Errorf("volume %s has another key", name)
	}
	if got.sum != want.sum {
		t.Errorf("volume %s has other bytes", name)
	}
	if n := a.secrets(); n != bare+1 {
		t.Errorf("there are %d secrets; want %d and that of the volume", n, bare)
	}
}
