package failure

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ledgerVersion is the microversion in which the ledger has what drills make.
const ledgerVersion = "data-protect 1.8"

// ledger gives what the ledger says of the tenant's operations: of each type the statuses in order.
func (u *tenant) ledger() map[string][]string {
	u.t.Helper()
	a := u.ask("GET", "/temporary_resources?limit=100", "", "OpenStack-API-Version", ledgerVersion)
	if a.status != http.StatusOK {
		u.t.Fatalf("the ledger: %d %s", a.status, a.text)
	}
	out := map[string][]string{}
	list, _ := a.body["temporary_resources"].([]any)
	for _, item := range list {
		row, _ := item.(map[string]any)
		kind, _ := row["type"].(string)
		status, _ := row["status"].(string)
		if id := row["cloud_id"]; (id == nil) != (status == "asked") && status != "released" {
			u.t.Errorf("of a %s that is %s the id is %v", kind, status, id)
		}
		out[kind] = append(out[kind], status)
	}
	for _, all := range out {
		slices.Sort(all)
	}
	return out
}

// uses gives those types of which the ledger says that the tenant's quota is used.
func (u *tenant) uses() (types []string) {
	u.t.Helper()
	a := u.ask("GET", "/temporary_resources/usage", "", "OpenStack-API-Version", ledgerVersion)
	usage, _ := a.body["usage"].(map[string]any)
	for name, sum := range usage {
		if members, _ := sum.(map[string]any); members["number"] != 0.0 {
			types = append(types, name)
		}
	}
	if a.status != http.StatusOK || len(usage) < 10 {
		u.t.Errorf("the sum: %d %s", a.status, a.text)
	}
	slices.Sort(types)
	return types
}

// ledgerMoments are those of a drill at which its ledger is looked at and the process dies, each with
// what is asked for, there, and gone by then.
var ledgerMoments = []struct {
	moment
	asked, held, released string
}{
	{moment{name: "the server", method: "POST", path: "^/compute/v2.1/servers$"}, "server", "network subnet port volume image", ""},
	{moment{name: "the end of the network", method: "DELETE", path: "^/network/v2.0/networks/"}, "", "network router security_group", "server volume floatingip"},
	{moment{name: "the network", method: "POST", path: "^/network/v2.0/networks$"}, "network", "security_group", ""},
	{moment{name: "the server that is made", method: "POST", path: "^/compute/v2.1/servers$", done: true}, "server", "network volume", ""},
	{moment{name: "the floating address", method: "POST", path: "^/network/v2.0/floatingips$"}, "floatingip", "router server volume", ""},
}

// fewLedgerMoments is how many of them a run of all the tests looks at, as each is a drill.
const fewLedgerMoments = 2

// TestTheLedgerTellsOfADrillBeforeWhileAndAfterItIsThere looks at the ledger while the cloud is asked for
// something, kills the service, and looks again behind the drill's end.
func TestTheLedgerTellsOfADrillBeforeWhileAndAfterItIsThere(t *testing.T) {
	s := newSite(t, (*site).reachable)
	u := s.tenant("demo")
	cp := u.kept(bankProvider, u.server("shop"))
	before := s.idle()
	moments := ledgerMoments
	if setting(t, killsVariable, fewKills) < thorough {
		moments = moments[:fewLedgerMoments]
	}
	for _, m := range moments {
		if found := u.uses(); len(found) > 0 {
			t.Fatalf("before the drill the ledger has %v", found)
		}
		past := u.ledger()
		s.hold(m.moment)
		id := u.drill(cp, allProbes)
		s.struck(1)
		now := u.ledger()
		for _, e := range []struct{ types, status string }{{m.asked, "asked"}, {m.held, "held"}} {
			for kind := range strings.FieldsSeq(e.types) {
				if !slices.Contains(now[kind], e.status) {
					t.Errorf("at %s, of the type %s the ledger has %v; want one that is %s", m.name, kind, now[kind], e.status)
				}
			}
		}
		for kind := range strings.FieldsSeq(m.released) {
			if slices.ContainsFunc(now[kind], func(status string) bool { return status != "released" }) || len(now[kind]) == len(past[kind]) {
				t.Errorf("at %s, of the type %s the ledger has %v; all is gone", m.name, kind, now[kind])
			}
		}
		s.kill()
		s.cloud.Faults().Clear()
		s.start()
		if d := u.drilled(id); d["status"] != "finished" || d["verdict"] != "passed" {
			t.Errorf("killed at %s, the drill is %v", m.name, d)
		}
		if found := u.uses(); len(found) > 0 {
			t.Errorf("killed at %s, the ledger has %v behind the drill", m.name, found)
		}
		now = u.ledger()
		for _, kind := range []string{"server", "volume", "image", "network", "subnet", "port", "router", "security_group", "floatingip"} {
			if len(now[kind]) == len(past[kind]) {
				t.Errorf("killed at %s, the ledger has nothing new of the type %s: %v", m.name, kind, now[kind])
			}
		}
		s.same(t, before)
	}
}
