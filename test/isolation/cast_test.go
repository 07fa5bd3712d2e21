package isolation

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/karbor/karbor/internal/api/v1"
)

// cast are two tenants, and what the one has that the other must not see.
type cast struct {
	victim, stranger *tenant
	// things are the ids of the victim's, by the word that stands before them in a
	// path; own are some of the stranger's.
	things, own map[string]string
	// resources are the victim's in the cloud, by type.
	resources map[string]string
}

// newCast makes one thing of each kind that the API serves.
func newCast(t *testing.T) *cast {
	t.Helper()
	s := newSite(t)
	c := &cast{victim: s.login(t, "demo"), stranger: s.login(t, "other"), own: map[string]string{}}
	c.resources = c.victim.resources(t)
	c.things = map[string]string{"quotas": c.victim.project}
	v := c.victim
	plan := v.plan(t, c.resources["OS::Cinder::Volume"])
	checkpoints := "/providers/" + providerID + "/checkpoints"
	checkpoint := v.make(t, "POST", checkpoints, `{"checkpoint": {"plan_id": "`+plan+`"}}`, "checkpoint.id")
	v.await(t, checkpoints+"/"+checkpoint, "checkpoint.status", "available")
	restore := v.make(t, "POST", "/restores",
		`{"restore": {"provider_id": "`+providerID+`", "checkpoint_id": "`+checkpoint+`", "parameters": {}}}`, "restore.id")
	v.await(t, "/restores/"+restore, "restore.status", "success", "fail")
	c.things["plans"], c.things["checkpoints"], c.things["restores"] = plan, checkpoint, restore
	c.own["plans"] = c.stranger.plan(t, c.resources["OS::Cinder::Volume"])
	if serves("/verifications") {
		id := v.offered(t, "POST", "/verifications",
			`{"verification": {"provider_id": "`+providerID+`", "checkpoint_id": "`+checkpoint+`", "parameters": {}}}`, "verification.id")
		if c.things["verifications"] = id; id != "" {
			v.await(t, "/verifications/"+id, "verification.status", "success", "error")
		}
	}
	if serves("/drills") {
		c.things["drills"] = v.make(t, "POST", "/drills",
			`{"drill": {"provider_id": "`+providerID+`", "checkpoint_id": "`+checkpoint+`", "probes": {"active": {}}}}`, "drill.id")
		v.await(t, "/drills/"+c.things["drills"], "drill.status", "finished", "error")
	}
	if serves("/providers/{provider_id}/checkpoints/action") {
		id := v.offered(t, "POST", checkpoints+"/action", `{"copy": {"plan_id": "`+plan+`"}}`, "copy.id")
		if c.things["copies"] = id; id != "" {
			v.await(t, "/providers/"+providerID+"/copies/"+id, "copy.status", "success", "error", "available", "finished")
		}
	}
	if serves("/mapping_profiles") {
		c.things["mapping_profiles"] = v.make(t, "POST", "/mapping_profiles", `{"mapping_profile": {"name": "elsewhere", "mapping": {"power": "stopped"}}}`, "mapping_profile.id")
	}
	if serves("/triggers") {
		body := `{"trigger_info": {"name": "nightly", "type": "time", "properties": {"format": "crontab", "pattern": "0 3 * * *"}}}`
		c.things["triggers"] = v.make(t, "POST", "/triggers", body, "trigger_info.id")
		c.own["triggers"] = c.stranger.make(t, "POST", "/triggers", body, "trigger_info.id")
	}
	if serves("/scheduled_operations") {
		c.things["scheduled_operations"] = v.make(t, "POST", "/scheduled_operations",
			`{"scheduled_operation": {"name": "nightly", "operation_type": "protect", "trigger_id": "`+c.things["triggers"]+
				`", "operation_definition": {"plan_id": "`+plan+`", "provider_id": "`+providerID+`"}}}`, "scheduled_operation.id")
	}
	c.things["operation_logs"] = v.make(t, "GET", "/operation_logs?limit=1", "", "operation_logs.id")
	c.things["operations"] = c.things["operation_logs"]
	return c
}

// offered is make for what the service may not offer with these providers: then it
// says 501, there can be none, and "" is given.
func (w *tenant) offered(t *testing.T, method, path, body, member string) string {
	t.Helper()
	a := w.call(t, method, path, body)
	if a.Status == http.StatusNotImplemented {
		t.Logf("%s %s is not offered: %s", method, path, a.Body)
		return ""
	}
	return a.member(t, member)
}

// serves reports whether the API has a path.
func serves(pattern string) bool {
	for _, r := range v1.Routes(v1.Deps{}) {
		if r.Pattern == pattern {
			return true
		}
	}
	return false
}

// plan makes a plan over a volume.
func (w *tenant) plan(t *testing.T, volume string) string {
	t.Helper()
	return w.make(t, "POST", "/plans", `{"plan": {"name": "nightly", "provider_id": "`+providerID+`", "parameters": {},
		"resources": [{"type": "OS::Cinder::Volume", "id": "`+volume+`", "name": "disk"}]}}`, "plan.id")
}

// resources makes one resource of each type in the tenant's project.
func (w *tenant) resources(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"OS::Keystone::Project": w.project}
	create := func(kind, path, member string, body any) {
		a := w.site.cloud.Do(t, w.token, "POST", path, body)
		var doc map[string]json.RawMessage
		err := json.Unmarshal(a.Body, &doc)
		if inner, ok := doc[member]; ok && err == nil {
			doc = nil
			err = json.Unmarshal(inner, &doc)
		}
		id := strings.Trim(string(doc["id"]), `"`)
		if err != nil || a.Status >= http.StatusBadRequest || id == "" {
			t.Fatalf("making a %s: %d %s", kind, a.Status, a.Body)
		}
		out[kind] = id
	}
	create("OS::Cinder::Volume", "/volume/v3/"+w.project+"/volumes", "volume", map[string]any{"volume": map[string]any{"size": 1, "name": "disk"}})
	create("OS::Glance::Image", "/image/v2/images", "", map[string]any{"name": "mine", "disk_format": "raw", "container_format": "bare", "visibility": "private"})
	create("OS::Neutron::Network", "/network/v2.0/networks", "network", map[string]any{"network": map[string]any{"name": "mine"}})
	create("OS::Neutron::Subnet", "/network/v2.0/subnets", "subnet", map[string]any{"subnet": map[string]any{
		"network_id": out["OS::Neutron::Network"], "ip_version": 4, "cidr": "10.7.0.0/24"}})
	delete(out, "OS::Neutron::Subnet")
	images := w.site.cloud.Do(t, w.token, "GET", "/image/v2/images?visibility=public", nil)
	var list struct {
		Images []struct {
			ID string `json:"id"`
		} `json:"images"`
	}
	if err := json.Unmarshal(images.Body, &list); err != nil || len(list.Images) == 0 {
		t.Fatalf("finding the public image: %s", images.Body)
	}
	create("OS::Nova::Server", "/compute/v2.1/servers", "server", map[string]any{"server": map[string]any{
		"name": "web", "imageRef": list.Images[0].ID, "flavorRef": "1", "networks": []any{map[string]any{"uuid": out["OS::Neutron::Network"]}}}})
	return out
}

// anyOf reports whether a text has one of the victim's ids.
func (c *cast) anyOf(text string) bool {
	for _, id := range c.things {
		if id != "" && strings.Contains(text, id) {
			return true
		}
	}
	return false
}

// has reports whether the victim has things that a list of that name shows.
func (c *cast) has(collection string) bool {
	if collection == "operations" {
		collection = "scheduled_operations"
	}
	return c.things[collection] != ""
}

// stillThere makes sure that what the stranger tried has changed nothing.
func (c *cast) stillThere(t *testing.T) {
	t.Helper()
	v := c.victim
	if got := v.make(t, "GET", "/plans/"+c.things["plans"], "", "plan.name"); got != "nightly" {
		t.Errorf("the plan's name is %q", got)
	}
	if got := v.make(t, "GET", "/providers/"+providerID+"/checkpoints/"+c.things["checkpoints"], "", "checkpoint.status"); got != "available" {
		t.Errorf("the checkpoint is %s", got)
	}
	for _, kind := range []string{"restores", "verifications", "triggers", "mapping_profiles", "scheduled_operations", "operation_logs"} {
		if id := c.things[kind]; id != "" {
			if a := v.call(t, "GET", "/"+kind+"/"+id, ""); a.Status != http.StatusOK {
				t.Errorf("%s %s: %d %s", kind, id, a.Status, a.Body)
			}
		}
	}
}
