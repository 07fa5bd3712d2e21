package isolation

import (
	"net/http"
	"strings"
	"testing"
)

func TestAReportTellsOfItsOwnProjectOnly(t *testing.T) {
	c := newCast(t)
	for _, query := range []string{"", "?type=OS::Cinder::Volume", "?finding=kept", "?all_tenants=1", "?project_id=" + c.victim.project} {
		own, foreign := c.victim.call(t, "GET", "/compliance"+query, ""), c.stranger.call(t, "GET", "/compliance"+query, "")
		if own.Status != http.StatusOK || foreign.Status != http.StatusOK {
			t.Fatalf("%q: %d %s, %d %s", query, own.Status, own.Body, foreign.Status, foreign.Body)
		}
		secrets := []string{c.victim.project, c.things["plans"], c.things["checkpoints"], c.things["scheduled_operations"]}
		for kind, id := range c.resources {
			if kind != "OS::Keystone::Project" {
				secrets = append(secrets, id)
			}
		}
		// Another project may have a plan of what is not its own; it learns nothing by that.
		for _, id := range secrets {
			if id != "" && id != c.resources["OS::Cinder::Volume"] && strings.Contains(foreign.Body, id) {
				t.Errorf("%q shows %s of another: %s", query, id, foreign.Body)
			}
		}
		if query == "" && (!strings.Contains(own.Body, c.things["checkpoints"]) || !strings.Contains(own.Body, c.resources["OS::Nova::Server"])) {
			t.Errorf("the owner sees nothing: %s", own.Body)
		}
		if query == "" && !strings.Contains(foreign.Body, `"verdict":"missing"`) {
			t.Errorf("another's volume is not missing: %s", foreign.Body)
		}
	}
}
