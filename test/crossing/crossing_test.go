package crossing

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// servers makes sure that the account has the servers with these names, and so many volumes.
func (a *account) servers(t *testing.T, volumes int, names ...string) {
	t.Helper()
	servers, _ := a.do(openstack.Compute, "GET", "servers", nil)["servers"].([]any)
	var found []string
	for _, s := range servers {
		found = append(found, s.(map[string]any)["name"].(string))
	}
	if got, want := strings.Join(found, " "), strings.Join(names, " "); got != want {
		t.Errorf("there are the servers %s; want %s", got, want)
	}
	there, _ := a.do(openstack.BlockStorage, "GET", "volumes", nil)["volumes"].([]any)
	if len(there) != volumes {
		t.Errorf("there are %d volumes; want %d", len(there), volumes)
	}
}

// small has volumes of few bytes for each GiB, which take a moment.
func small(o *testcloud.Options) { o.VolumeGiB = miniature }

const miniature = 4 << 20

// keeps reports whether a file below a folder holds a text.
func keeps(t *testing.T, folder, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found {
			return err
		}
		content, err := os.ReadFile(path)
		found = strings.Contains(string(content), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

//karbor:tries other-cloud of server,volumeglance,image,network
func TestAServerIsRestoredIntoAnotherCloud(t *testing.T) {
	here, there := testcloudtest.Start(t, small), testcloudtest.Start(t, small)
	k := serve(t, here, func(c *config.Config) { c.Operations.RestoreTargets = []string{there.URL()} })
	home, abroad := login(t, here, "demo"), login(t, there, "demo")
	shop := home.shop(true)
	checkpoint := k.protect(home, karbor.ServerType, shop.server)
	byPassword := map[string]any{"type": "password", "username": abroad.name, "password": abroad.password, "project_name": abroad.project}
	target := func(auth map[string]any, more map[string]any) map[string]any {
		body := map[string]any{"restore_target": there.URL(), "restore_auth": auth}
		maps.Copy(body, more)
		return body
	}
	dry := k.restore(home, checkpoint, target(byPassword, map[string]any{"dry_run": true}))
	if dry.member(t, "preflight", "ready") != true {
		t.Errorf("the look ahead finds %s", dry.text)
	}
	abroad.servers(t, 0)

	id := k.restore(home, checkpoint, target(byPassword, nil)).id(t, "restore")
	if last := k.ends(home, "/restores/"+id, "restore", "success", "fail"); last.member(t, "restore", "status") != "success" {
		t.Fatal("the restore failed: ", last.text)
	}
	abroad.servers(t, 1, "shop")
	abroad.whole(t, "", held(miniature))

	credential := abroad.do(identity(there.URL()), "POST", "users/"+abroad.id+"/application_credentials",
		map[string]any{"application_credential": map[string]any{"name": "karbor", "secret": "the-secret-of-the-credential"}})
	made := credential["application_credential"].(map[string]any)
	byCredential := map[string]any{"type": "application_credential", "id": made["id"], "secret": "the-secret-of-the-credential"}
	id = k.restore(home, checkpoint, target(byCredential, map[string]any{
		"resources": []string{"OS::Neutron::Network#" + shop.network}, "mapping": map[string]any{"name_prefix": "again-"}})).id(t, "restore")
	if last := k.ends(home, "/restores/"+id, "restore", "success", "fail"); last.member(t, "restore", "status") != "success" {
		t.Fatal("the restore with an application credential failed: ", last.text)
	}
	if found, _ := abroad.do(openstack.Network, "GET", "networks?name=again-shop-net", nil)["networks"].([]any); len(found) != 1 {
		t.Errorf("there are %d networks of the chosen one", len(found))
	}
	abroad.servers(t, 1, "shop")

	for _, secret := range []string{abroad.password, "the-secret-of-the-credential"} {
		if keeps(t, k.state, secret) {
			t.Error("a secret of the other cloud lies in the service's state")
		}
	}
}

//karbor:tries other-project of server,image,network
func TestAServerIsRestoredIntoAnotherProject(t *testing.T) {
	cloud := testcloudtest.Start(t)
	k := serve(t, cloud, func(c *config.Config) { c.Operations.RestoreTargets = []string{cloud.URL()} })
	mine, other := login(t, cloud, "demo"), login(t, cloud, "other")
	shop := mine.shop(false)
	checkpoint := k.protect(mine, karbor.ServerType, shop.server)
	id := k.restore(mine, checkpoint, map[string]any{
		"restore_target": cloud.URL(), "mapping": map[string]any{"name_prefix": "their-", "addresses": "renew"},
		"restore_auth": map[string]any{"type": "password", "username": other.name, "password": other.password, "project_name": other.project},
	}).id(t, "restore")
	last := k.ends(mine, "/restores/"+id, "restore", "success", "fail")
	if last.member(t, "restore", "status") != "success" {
		t.Fatal("the restore failed: ", last.text)
	}
	if mapped, _ := last.member(t, "restore", "mapped").(map[string]any); len(mapped) == 0 {
		t.Errorf("what was mapped is not told: %s", last.text)
	}
	other.servers(t, 0, "their-shop")
	other.whole(t, "their-", held(0))
}

func TestAProjectComesBackWholeAndOnlyThat(t *testing.T) {
	comesBackWhole(t, testcloudtest.Start(t, small), miniature)
}

func TestAProjectIsOutOfReachForAnother(t *testing.T) {
	outOfReach(t, testcloudtest.Start(t, small))
}

// TestALookAheadTellsWhatIsMissing takes away what a restore needs.
func TestALookAheadTellsWhatIsMissing(t *testing.T) {
	cloud := testcloudtest.Start(t)
	k := serve(t, cloud, func(*config.Config) {})
	a := login(t, cloud, "demo")
	s := a.shop(false)
	checkpoint := k.protect(a, karbor.ServerType, s.server)
	admin := login(t, cloud, "admin")
	admin.do(openstack.Compute, "PUT", "os-quota-sets/"+a.session.ProjectID(), map[string]any{"quota_set": map[string]any{"instances": 1}})
	found := k.restore(a, checkpoint, map[string]any{"dry_run": true, "mapping": map[string]any{
		"flavors": map[string]any{"*": "none-such"}, "availability_zones": map[string]any{"*": "none-such"}}})
	if found.member(t, "preflight", "ready") != false {
		t.Errorf("a restore that must fail is told to be ready: %s", found.text)
	}
	for _, part := range []string{"none-such", "restore_flavors", "restore_availability_zones", `the quota \"instances\" does not suffice: the restore needs 1, and 0 of 1 are left`,
		"have the quota raised", "is in use by port"} {
		if !strings.Contains(found.text, part) {
			t.Errorf("nothing is told of %s: %s", part, found.text)
		}
	}
	if list := k.call(a, "GET", "/restores", nil); !strings.Contains(list.text, `"restores":[]`) {
		t.Errorf("a dry run is stored: %s", list.text)
	}
	if id := k.restore(a, checkpoint, map[string]any{"dry_run": true, "resources": []string{"OS::Nova::Server#none"}}); id.status != 400 {
		t.Errorf("a dry run of what can't start is %d: %s", id.status, id.text)
	}
}
