package crossing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// regionTwo is the second region of the clouds that have one.
const regionTwo = "RegionTwo"

// inRegion is the account with services of a region.
func (a *account) inRegion(t *testing.T, name string) *account {
	t.Helper()
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: a.cloud.URL(), Username: a.name, Password: karbor.Secret(a.password), Project: a.project, Region: name, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	there := *a
	there.t, there.session = t, authority.Service()
	there.do(openstack.Image, "GET", "images", nil) // makes the ids known
	return &there
}

//karbor:tries other-cloud of server,volumeglance,image,network
func TestAServerIsRestoredIntoAnotherRegion(t *testing.T) {
	cloud := testcloudtest.Start(t, small)
	testcloudtest.Start(t, small, func(o *testcloud.Options) { o.Home, o.Region = cloud.Cloud, regionTwo })
	k := serve(t, cloud, func(c *config.Config) {
		c.Keystone.Region, c.Operations.RestoreTargets = cloud.Options.Region, []string{cloud.URL()}
	})
	home := login(t, cloud, "demo")
	far := home.inRegion(t, regionTwo)
	shop := home.shop(true)
	checkpoint := k.protect(home, karbor.ServerType, shop.server)
	before, bare := home.everything(), far.everything()
	if slices.ContainsFunc(bare, func(line string) bool { return strings.Contains(line, "shop") }) {
		t.Fatalf("the second region is the first one: %q", bare)
	}
	request := func(region string, more map[string]any) map[string]any {
		out := map[string]any{"restore_target": cloud.URL(), "restore_auth": map[string]any{
			"type": "password", "username": home.name, "password": home.password, "project_name": home.project, "region_name": region}}
		maps.Copy(out, more)
		return out
	}
	if refused := k.restore(home, checkpoint, request("RegionTow", nil)); refused.status != 400 || !strings.Contains(refused.text, regionTwo) {
		t.Errorf("a region that is not there gives %d %s", refused.status, refused.text)
	}
	if dry := k.restore(home, checkpoint, request(regionTwo, map[string]any{"dry_run": true})); dry.member(t, "preflight", "ready") != true {
		t.Errorf("the look ahead finds %s", dry.text)
	}
	if now := far.everything(); !slices.Equal(now, bare) {
		t.Errorf("the look ahead leaves %q in the second region; want %q", now, bare)
	}
	k.succeeds(home, checkpoint, request(regionTwo, nil))
	far.servers(t, 1, "shop")
	far.whole(t, "", held(miniature))
	if now := home.everything(); !slices.Equal(now, before) {
		t.Errorf("the first region has now %q; want %q", now, before)
	}
}

// TestAServerIsRestoredIntoAnotherCloudAsAProfileSays has the mapping of the restore lie in the service, and one word of
// the request go before it.
//
//karbor:tries other-cloud of server,volumeglance,image,network
func TestAServerIsRestoredIntoAnotherCloudAsAProfileSays(t *testing.T) {
	here, there := testcloudtest.Start(t, small), testcloudtest.Start(t, small)
	k := serve(t, here, func(c *config.Config) { c.Operations.RestoreTargets = []string{there.URL()} })
	home, abroad := login(t, here, "demo"), login(t, there, "demo")
	shop := home.shop(true)
	checkpoint := k.protect(home, karbor.ServerType, shop.server)
	before := home.everything()
	profile := k.call(home, "POST", "/mapping_profiles", map[string]any{"mapping_profile": map[string]any{
		"name": "abroad", "mapping": map[string]any{"name_prefix": "saved-", "availability_zones": map[string]any{"nova": "north"},
			"flavors": map[string]any{"*": "m1.small"}}}}).id(t, "mapping_profile")
	request := abroad.into("said-")
	request["profile"], request["mapping"] = profile, map[string]any{"name_prefix": "said-"}
	k.succeeds(home, checkpoint, request)
	abroad.servers(t, 1, "said-shop")
	server := abroad.one(openstack.Compute, "servers/detail", "servers", "said-shop")
	volume := abroad.one(openstack.BlockStorage, "volumes/detail", "volumes", "said-sold")
	if server["OS-EXT-AZ:availability_zone"] != "north" || volume["availability_zone"] != "north" {
		t.Errorf("the server is in %v, and its volume in %v", server["OS-EXT-AZ:availability_zone"], volume["availability_zone"])
	}
	shown, _ := abroad.do(openstack.Compute, "GET", "servers/"+fmt.Sprint(server["id"]), nil)["server"].(map[string]any)
	if flavor, _ := shown["flavor"].(map[string]any); flavor["original_name"] != "m1.small" {
		t.Errorf("the flavor is %v", shown["flavor"])
	}
	abroad.whole(t, "said-", held(miniature))
	if now := home.everything(); !slices.Equal(now, before) {
		t.Errorf("the cloud of the original has now %q; want %q", now, before)
	}
}
