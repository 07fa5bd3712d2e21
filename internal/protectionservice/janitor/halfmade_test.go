package janitor_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/protection"
)

// restoring is the call of a restore of this Karbor that nobody knows.
func restoring() *protection.Call {
	return &protection.Call{Owner: owner, Installation: ours, Node: &karbor.Node{Resource: karbor.Resource{ID: source}}}
}

// begun is the description of what that restore has begun in Neutron.
func begun(original string) string {
	return restoring().RestoringText(protection.OwnerMark(owner) + "-" + original)
}

func TestSharesAndDatabasesThatALostRestoreHasNotFinishedGoByTheOperatorsWord(t *testing.T) {
	n := newTenant(t)
	share := func(metadata map[string]string) string {
		return n.created(t, "/share/v2/shares", "share", map[string]any{"name": "files", "size": 1, "share_proto": "NFS", "metadata": metadata})
	}
	databases := "/database/v1.0/" + n.project + "/instances"
	database := func(name string) string {
		return n.created(t, databases, "instance", map[string]any{"name": name, "flavorRef": "1", "volume": map[string]any{"size": 1}})
	}
	other := restoring()
	other.Installation = "1e1e"
	want := map[string]bool{share(restoring().RestoringTags()): true, database(restoring().RestoringText(restoring().Name())): true}
	stays := map[string]bool{}
	for _, id := range []string{share(restoring().Tags()), share(other.RestoringTags())} {
		stays["/share/v2/shares/"+id] = true
	}
	for _, id := range []string{database("shop"), database(restoring().Name()), database(other.RestoringText(other.Name()))} {
		stays[databases+"/"+id] = true
	}
	found := map[string]bool{}
	n.until(t, func() bool {
		clear(found)
		for id, why := range judged(t, administrator(t, n), janitor.Query{Remove: true}) {
			found[id] = why == ""
		}
		return len(found) == 2 && cmp.Equal(found, want)
	})
	for id := range want {
		if !n.there(t, "/share/v2/shares/"+id) && !n.there(t, databases+"/"+id) {
			t.Errorf("%s is gone without the operator's word", id)
		}
	}
	if found := judged(t, administrator(t, n), janitor.Query{Any: true}); len(found) != 4 {
		t.Errorf("of all Karbors there is found %v", found)
	}
	n.until(t, func() bool {
		judged(t, administrator(t, n), janitor.Query{Remove: true, Unfinished: true})
		for id := range want {
			if n.there(t, "/share/v2/shares/"+id) || n.there(t, databases+"/"+id) {
				return false
			}
		}
		return true
	})
	for path := range stays {
		if !n.there(t, path) {
			t.Errorf("%s is gone", path)
		}
	}
}

func TestWhatALostRestoreHasBegunBesideATenantsOwnThingsGoesAlone(t *testing.T) {
	n := newTenant(t)
	own := n.drill(t, "mine", "my own")
	port := n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": own.network, "description": begun("port")})
	free := n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": own.network, "description": "my own"})
	n.put(t, "/network/v2.0/routers/"+own.router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": n.outside(t)}}})
	address := n.created(t, "/network/v2.0/floatingips", "floatingip",
		map[string]any{"floating_network_id": n.outside(t), "port_id": port, "description": begun("address")})
	taken := n.created(t, "/network/v2.0/floatingips", "floatingip",
		map[string]any{"floating_network_id": n.outside(t), "port_id": own.port, "description": begun("other address")})
	// A network that the restore has not finished, and the tenant has put a port on; a router that it has
	// not finished, and the tenant has joined to a network of his.
	shared := n.created(t, "/network/v2.0/networks", "network", map[string]any{"name": "half", "description": begun("network")})
	n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": shared, "cidr": "10.20.0.0/24", "ip_version": 4})
	guest := n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": shared})
	router := n.created(t, "/network/v2.0/routers", "router", map[string]any{"name": "half", "description": begun("router")})
	second := n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": own.network, "cidr": "10.21.0.0/24", "ip_version": 4})
	n.put(t, "/network/v2.0/routers/"+router+"/add_router_interface", map[string]any{"subnet_id": second})

	want := map[string]string{port: "", address: "", taken: "it is associated", shared: "", router: ""}
	if diff := cmp.Diff(want, judged(t, administrator(t, n), janitor.Query{Remove: true})); diff != "" {
		t.Fatalf("what is found (-want +got):\n%s", diff)
	}
	want[shared] = "port " + guest + " is on network " + shared + ", and not one that the restore has left half made"
	want[router] = "router " + router + " is in network " + own.network + ", which is not the restore's"
	if diff := cmp.Diff(want, judged(t, administrator(t, n), janitor.Query{Remove: true, Unfinished: true})); diff != "" {
		t.Errorf("what goes and what can't (-want +got):\n%s", diff)
	}
	for path, stays := range map[string]bool{
		"ports/" + port: false, "floatingips/" + address: false, "floatingips/" + taken: true, "networks/" + shared: true,
		"ports/" + guest: true, "ports/" + free: true, "ports/" + own.port: true, "routers/" + router: true, "networks/" + own.network: true,
	} {
		if n.there(t, "/network/v2.0/"+path) != stays {
			t.Errorf("%s is there: %v", path, !stays)
		}
	}
}

func TestAPortThatAServerHasTakenStays(t *testing.T) {
	n := newTenant(t)
	own := n.drill(t, "mine", "my own")
	n.put(t, "/network/v2.0/ports/"+own.port, map[string]any{"port": map[string]any{"description": begun("port")}})
	var answer struct {
		Port struct {
			Device string `json:"device_id"`
		}
	}
	n.until(t, func() bool {
		a := n.Do(t, n.token, "GET", "/network/v2.0/ports/"+own.port, nil)
		return json.Unmarshal(a.Body, &answer) == nil && answer.Port.Device != ""
	})
	found := judged(t, administrator(t, n), janitor.Query{Remove: true, Unfinished: true})
	if diff := cmp.Diff(map[string]string{own.port: "something has it"}, found); diff != "" {
		t.Errorf("what is found (-want +got):\n%s", diff)
	}
}

func TestWhoIsNoAdministratorSeesItsOwnProjectAlone(t *testing.T) {
	n := newTenant(t)
	databases := "/database/v1.0/" + n.project + "/instances"
	name := restoring().RestoringText(restoring().Name())
	id := n.created(t, databases, "instance", map[string]any{"name": name, "flavorRef": "1", "volume": map[string]any{"size": 1}})
	things, err := janitor.NewCloud(n.as(t, http.DefaultTransport)).Temporary(t.Context(), janitor.Database, ours)
	if err != nil || len(things) != 1 || things[0].ID != id {
		t.Errorf("it sees %+v, %v", things, err)
	}
}
