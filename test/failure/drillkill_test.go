package failure

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/evidence"
)

// reachable is an edit of newSite: drills reach their servers through the external network.
func (s *site) reachable() { s.external = "public" }

// publicNetwork gives the id of the cloud's external network.
func (s *site) publicNetwork() string {
	s.t.Helper()
	var found struct{ Networks []struct{ ID string } }
	a := s.cloud.Do(s.t, s.tenant("demo").token, "GET", "/network/v2.0/networks?router:external=true", nil)
	if err := json.Unmarshal(a.Body, &found); err != nil || len(found.Networks) == 0 {
		s.t.Fatalf("the external networks: %d %s", a.Status, a.Body)
	}
	return found.Networks[0].ID
}

// allProbes are those of servers and volumes but the command: nobody runs it in this cloud.
const allProbes = `{"active": {}, "console": {"pattern": "login:", "timeout": 60}, "port": {"port": 22, "timeout": 60}, "volume": {}}`

// unproven gives what the record of a drill with allProbes does not show.
func (u *tenant) unproven(id string) (wrong []string) {
	u.t.Helper()
	_, _, proof := u.proof(id)
	r := proof.Record
	if r.Verdict != "passed" || !r.Removed || len(r.Left) > 0 || r.RecoveryMS <= 0 {
		wrong = append(wrong, fmt.Sprintf("it is %s for %q after %d ms, removed: %t %q", r.Verdict, r.Reasons, r.RecoveryMS, r.Removed, r.Left))
	}
	for kind, probes := range map[string][]string{"OS::Nova::Server#": {"active", "console", "port"}, "OS::Cinder::Volume#": {"active", "volume"}} {
		var seen []string
		for _, one := range r.Resources {
			if !strings.HasPrefix(one.Resource, kind) {
				continue
			}
			for _, p := range one.Probes {
				if p.Result == evidence.Passed {
					seen = append(seen, p.Probe)
				}
			}
		}
		if slices.Sort(seen); !slices.Equal(seen, probes) {
			wrong = append(wrong, fmt.Sprintf("of %s it has seen %q", kind, seen))
		}
	}
	return wrong
}

// drillMoments are those of the port probe, of the volume probe, and of the removal, at which the
// process dies.
var drillMoments = []moment{
	{name: "the router", method: "POST", path: "^/network/v2.0/routers$"},
	{name: "the router's interface", method: "PUT", path: "/add_router_interface$"},
	{name: "the floating address", method: "POST", path: "^/network/v2.0/floatingips$"},
	{name: "the end of the floating address", method: "DELETE", path: "^/network/v2.0/floatingips/"},
	{name: "the upload of the volume", method: "POST", path: "^/volume/v3/[^/]+/volumes/[^/]+/action$"},
	{name: "the bytes of the volume", method: "GET", path: ofBytes},
	{name: "the end of a temporary image", method: "DELETE", path: anImage},
	{name: "the end of the server", method: "DELETE", path: "^/compute/v2.1/servers/[^/]+$"},
	{name: "the end of the volume", method: "DELETE", path: "^/volume/v3/[^/]+/volumes/[^/]+$"},
	{name: "the end of the router's interface", method: "PUT", path: "/remove_router_interface$"},
	{name: "the end of the network", method: "DELETE", path: "^/network/v2.0/networks/"},
}

// fewMoments are the places of those that a run of all the tests looks at, as each is a drill.
var fewMoments = []int{1, 4, 10}

// TestDrillsProbeAndRemoveAllWhereverTheServiceIsKilled kills it while the cloud does something for
// it of which it then never hears, and, in a thorough run, before the cloud does it.
func TestDrillsProbeAndRemoveAllWhereverTheServiceIsKilled(t *testing.T) {
	s := newSite(t, (*site).reachable)
	u := s.tenant("demo")
	cp := u.kept(bankProvider, u.server("shop"))
	before := s.idle()
	ways, whole := []bool{true}, setting(t, killsVariable, fewKills) >= thorough
	if whole {
		ways = append(ways, false)
	}
	for i, m := range drillMoments {
		if !whole && !slices.Contains(fewMoments, i) {
			continue
		}
		for _, m.done = range ways {
			s.hold(m)
			id := u.drill(cp, allProbes)
			s.struck(1)
			s.kill()
			s.cloud.Faults().Clear()
			s.start()
			d := u.drilled(id)
			if d["status"] != "finished" || d["verdict"] != "passed" {
				t.Errorf("killed at %s (done: %t), the drill is %v", m.name, m.done, d)
			}
			if wrong := u.unproven(id); len(wrong) > 0 {
				t.Errorf("killed at %s (done: %t), of the record: %q", m.name, m.done, wrong)
			}
			s.same(t, before)
		}
	}
}
