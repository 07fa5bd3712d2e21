package janitor_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/protection"
)

// created makes something, and gives its id.
func (n tenant) created(t *testing.T, path, member string, body map[string]any, header ...string) string {
	t.Helper()
	a := n.Do(t, n.token, "POST", path, map[string]any{member: body}, header...)
	var answer map[string]struct{ ID string }
	if err := json.Unmarshal(a.Body, &answer); err != nil || a.Status/100 != 2 {
		t.Fatalf("POST %s: %d %s", path, a.Status, a.Body)
	}
	return answer[member].ID
}

// first gives the first thing of a list.
func (n tenant) first(t *testing.T, path, member string) string {
	t.Helper()
	var answer map[string]json.RawMessage
	var list []struct{ ID string }
	a := n.Do(t, n.token, "GET", path, nil)
	if json.Unmarshal(a.Body, &answer) != nil || json.Unmarshal(answer[member], &list) != nil || len(list) == 0 {
		t.Fatalf("GET %s: %d %s", path, a.Status, a.Body)
	}
	return list[0].ID
}

// drilled is what a drill has in the cloud: a server with a port on a network of its own, which
// a router leads out of, and a security group.
type drilled struct{ server, port, network, subnet, router, group string }

// drill makes what a drill makes, with a description and, on the server, tags.
func (n tenant) drill(t *testing.T, name, description string, tags ...string) drilled {
	t.Helper()
	var d drilled
	d.network = n.created(t, "/network/v2.0/networks", "network", map[string]any{"name": name + "-net", "description": description})
	d.subnet = n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": d.network, "cidr": "10.9.0.0/24", "ip_version": 4})
	d.router = n.created(t, "/network/v2.0/routers", "router", map[string]any{"name": name, "description": description})
	if a := n.Do(t, n.token, "PUT", "/network/v2.0/routers/"+d.router+"/add_router_interface", map[string]any{"subnet_id": d.subnet}); a.Status != http.StatusOK {
		t.Fatalf("joining: %d %s", a.Status, a.Body)
	}
	d.group = n.created(t, "/network/v2.0/security-groups", "security_group", map[string]any{"name": name, "description": description})
	d.port = n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": d.network, "security_groups": []string{d.group}})
	d.server = n.created(t, "/compute/v2.1/servers", "server", map[string]any{
		"name": name + "-web", "flavorRef": n.first(t, "/compute/v2.1/flavors", "flavors"), "imageRef": n.first(t, "/image/v2/images", "images"),
		"networks": []map[string]any{{"port": d.port}}, "tags": tags,
	}, "OpenStack-API-Version", "compute 2.52", "X-OpenStack-Nova-API-Version", "2.52")
	return d
}

func (n tenant) there(t *testing.T, path string) bool {
	t.Helper()
	return n.Do(t, n.token, "GET", path, nil).Status == http.StatusOK
}

// paths are where the things are.
func (d drilled) paths() []string {
	return []string{"/compute/v2.1/servers/" + d.server, "/network/v2.0/routers/" + d.router, "/network/v2.0/networks/" + d.network,
		"/network/v2.0/ports/" + d.port, "/network/v2.0/security-groups/" + d.group}
}

func TestWhatALostDrillHasMadeGoesAndWhatLooksLikeItStays(t *testing.T) {
	n := newTenant(t)
	mark := drill.Mark(&protection.Call{OperationID: owner, Installation: ours}, "network for x")
	lost := n.drill(t, drill.Name(owner), mark, protection.OwnerMark(owner), "karbor-id-"+source, protection.DrillMark(ours))
	const theirs = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
	other := n.drill(t, drill.Name(owner), drill.Mark(&protection.Call{OperationID: owner, Installation: theirs}, "network for x"),
		protection.OwnerMark(owner), protection.DrillMark(theirs))
	renamed := n.drill(t, "kept by its tenant", mark, protection.OwnerMark(owner), protection.DrillMark(ours))
	own := n.drill(t, "karbor-drill-demo", "karbor drill of mine")

	j := administrator(t, n)
	seen, err := j.Round(t.Context(), janitor.Query{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range seen {
		got[f.ID] = f.Spared == ""
	}
	want := map[string]bool{
		lost.server: true, lost.router: true, lost.network: true, lost.group: true,
		renamed.server: false, renamed.router: false, renamed.network: false, renamed.group: false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("orphans (-want +got):\n%s", diff)
	}
	// What holds another thing goes first, and the cloud takes its time.
	n.until(t, func() bool {
		if _, err := j.Round(t.Context(), janitor.Query{Remove: true}); err != nil {
			t.Fatal(err)
		}
		for _, path := range lost.paths() {
			if n.there(t, path) {
				return false
			}
		}
		return true
	})
	for _, d := range []drilled{other, renamed, own} {
		for _, path := range d.paths() {
			if !n.there(t, path) {
				t.Errorf("%s is gone", path)
			}
		}
	}
}

func TestANetworkOfADrillThatSomethingUsesStays(t *testing.T) {
	n := newTenant(t)
	mark := drill.Mark(&protection.Call{OperationID: owner, Installation: ours}, "network for x")
	lost := n.drill(t, drill.Name(owner), mark) // its server is the tenant's: it bears no mark
	stay := []string{"/compute/v2.1/servers/" + lost.server, "/network/v2.0/networks/" + lost.network, "/network/v2.0/ports/" + lost.port}
	for range 8 {
		free := n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": lost.network})
		stay = append(stay, "/network/v2.0/ports/"+free)
	}
	j := administratorBy(t, n, &http.Client{Transport: capped(1)}) // the port that is in use may be on a later page
	findings, err := j.Round(t.Context(), janitor.Query{Remove: true})
	if err != nil {
		t.Fatal(err)
	}
	found := slices.IndexFunc(findings, func(f janitor.Finding) bool { return f.ID == lost.network })
	if found < 0 {
		t.Fatalf("it is not found among %+v", findings)
	}
	if f := findings[found]; f.Failure == nil {
		t.Errorf("it is removed: %+v", f)
	}
	for _, path := range stay {
		if !n.there(t, path) {
			t.Errorf("%s is gone", path)
		}
	}
}

// until asks again and again until done is true.
func (n tenant) until(t *testing.T, done func() bool) {
	t.Helper()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatal("it takes too long")
		}
	}
}
